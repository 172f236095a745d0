"""A small statistical classifier that ships with the package and runs anywhere."""

from inference_forge.adapters.local.model import LocalModel
from inference_forge.adapters.local.provider import MODEL_NAME, LocalProvider

__all__ = ["MODEL_NAME", "LocalModel", "LocalProvider"]
