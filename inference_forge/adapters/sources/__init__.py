"""Ticket files and standard input, read a block of rows at a time in bounded memory."""

from inference_forge.adapters.sources.chained import ChainedSource
from inference_forge.adapters.sources.opening import open_source
from inference_forge.adapters.sources.prepared import PreparedSource
from inference_forge.adapters.sources.selected import RangeSource, SampledSource
from inference_forge.adapters.sources.source import FileSource

__all__ = [
    "ChainedSource",
    "FileSource",
    "PreparedSource",
    "RangeSource",
    "SampledSource",
    "open_source",
]
