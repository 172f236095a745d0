"""What `--events` and `--summary-json` write, as models: for readers, and for the tests.

Nothing is written with them: a run writes plain objects, and the tests hold every line against
these. Within a version fields and kinds of events are only added: pass over what you do not know.
"""

from inference_forge.observe.schema.events import LINES, EventLine
from inference_forge.observe.schema.export import SCHEMAS, json_schema
from inference_forge.observe.schema.figures import InputEnd, Quantiles, Stats, Summary

__all__ = [
    "LINES",
    "SCHEMAS",
    "EventLine",
    "InputEnd",
    "Quantiles",
    "Stats",
    "Summary",
    "json_schema",
]
