"""BatchLLM's command, which is what this program resembles most."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from workload import FENCE, MODEL, SYSTEM, task


def main() -> None:
    """Become the command."""
    asked = task()
    command = str(Path(sys.executable).parent / "batchllm")
    arguments = [
        command,
        "run",
        str(asked.tickets),
        "-o",
        str(asked.out),
        "-m",
        MODEL,
        "-s",
        SYSTEM,
    ]
    fenced = f"<ticket {FENCE}>\n{{input}}\n</ticket {FENCE}>"
    arguments += ["-t", fenced, "-c", str(asked.in_flight), "--api-key", asked.key]
    arguments += ["--base-url", asked.address, "--input-column", "text", "--temperature", "0"]
    arguments += ["--expect-keys", "category,priority,summary"]
    if asked.state is not None:
        arguments += ["--checkpoint", str(asked.state / "checkpoint.jsonl")]
    os.execv(command, arguments)  # noqa: S606 - the command to be measured


if __name__ == "__main__":
    main()
