"""inspect_ai: an evaluation task whose samples are the tickets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from inspect_ai import Task, eval_set, task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import GenerateConfig, ResponseSchema, get_model
from inspect_ai.solver import generate, system_message
from inspect_ai.util import JSONSchema
from workload import FENCE, MODEL, SCHEMA, SYSTEM, row_of, texts, write_rows
from workload import Task as Asked
from workload import task as asked_task

TEMPLATE = f"<ticket {FENCE}>\n{{}}\n</ticket {FENCE}>"


@task  # type: ignore[untyped-decorator]
def labelling(tickets: str) -> Task:
    """Label the tickets of a file."""
    schema = JSONSchema.model_validate(SCHEMA)
    samples = [Sample(id=id_, input=TEMPLATE.format(text)) for id_, text in texts(Path(tickets))]
    return Task(
        dataset=MemoryDataset(samples),
        solver=[system_message(SYSTEM.replace("{", "{{").replace("}", "}}")), generate()],
        config=GenerateConfig(
            temperature=0.0,
            max_tokens=512,
            response_schema=ResponseSchema(name="label", json_schema=schema, strict=True),
        ),
    )


def logged(asked: Asked) -> EvalLog:
    """Run the task, going on where an earlier run of it stopped; return its log."""
    at_once = {"adaptive_connections" if asked.is_limited else "max_connections": asked.in_flight}
    options: dict[str, Any] = {
        "model": get_model(
            f"openai-api/loopback/{MODEL}", base_url=asked.address, api_key=asked.key
        ),
        "max_samples": asked.in_flight,
        "display": "none",
        **at_once,
    }
    work = labelling(str(asked.tickets))
    if asked.state is None:
        return evaluate(work, log_dir=str(asked.out.parent / "logs"), **options)[0]
    _, logs = eval_set(work, log_dir=str(asked.state), **options)
    return logs[0]


def main() -> None:
    """Ask about every ticket of a file."""
    asked = asked_task()
    log = logged(asked)
    if log.location:
        log = read_eval_log(log.location)
    rows = [
        {"id": str(sample.id), "error": sample.error.message}
        if sample.error is not None
        else row_of(str(sample.id), sample.output.completion)
        for sample in log.samples or []
    ]
    write_rows(asked.out, rows)
    if log.status != "success":
        sys.exit(f"the evaluation's status is {log.status!r}")


if __name__ == "__main__":
    main()
