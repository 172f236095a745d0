"""Results and failures, written a block at a time and made final at the end."""

from inference_forge.adapters.sinks.opening import open_sink, open_stream_sink
from inference_forge.adapters.sinks.options import OutputFormat, OutputKind, SinkOptions
from inference_forge.adapters.sinks.sink import FileSink

__all__ = ["FileSink", "OutputFormat", "OutputKind", "SinkOptions", "open_sink", "open_stream_sink"]
