"""Ticket files and standard input, read a block of rows at a time in bounded memory."""

from inference_forge.adapters.sources.opening import open_source
from inference_forge.adapters.sources.source import FileSource

__all__ = ["FileSource", "open_source"]
