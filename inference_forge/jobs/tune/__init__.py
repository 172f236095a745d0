"""`forge tune`: which pack size a model bears, measured on a sample of the user's tickets."""

from inference_forge.jobs.tune.forecast import Forecast
from inference_forge.jobs.tune.job import TuneJob, pack_sizes
from inference_forge.jobs.tune.report import Row, TuneReport
from inference_forge.jobs.tune.run import run_tune

__all__ = ["Forecast", "Row", "TuneJob", "TuneReport", "pack_sizes", "run_tune"]
