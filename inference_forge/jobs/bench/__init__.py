"""`forge bench`: which batches, concurrency and model are fastest, cheapest and sound."""

from inference_forge.jobs.bench.expected import Expected
from inference_forge.jobs.bench.report import BenchReport
from inference_forge.jobs.bench.request import BenchJob, BenchRequest, model_names, numbers, shapes
from inference_forge.jobs.bench.run import run_bench

__all__ = [
    "BenchJob",
    "BenchReport",
    "BenchRequest",
    "Expected",
    "model_names",
    "numbers",
    "run_bench",
    "shapes",
]
