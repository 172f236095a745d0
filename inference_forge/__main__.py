"""`python -m inference_forge` and the `forge` script."""

from __future__ import annotations

from inference_forge.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
