"""`forge eval`: how right results are, measured against a file with the right labels."""

from inference_forge.app.taxonomy_file import load_taxonomy
from inference_forge.jobs.evaluation.request import (
    CountAs,
    EvaluationJob,
    Figure,
    Match,
    Minimum,
)
from inference_forge.jobs.evaluation.result import Check, Evaluation, Side
from inference_forge.jobs.evaluation.run import evaluate

__all__ = [
    "Check",
    "CountAs",
    "Evaluation",
    "EvaluationJob",
    "Figure",
    "Match",
    "Minimum",
    "Side",
    "evaluate",
    "load_taxonomy",
]
