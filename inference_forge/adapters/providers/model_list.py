"""Reading what `GET /models` answers."""

from __future__ import annotations

from typing import Any

import orjson


def model_names(body: bytes) -> tuple[str, ...] | None:
    """Return the names that a list of models holds, None when it is no such list.

    `{"data": [{"id": ...}, ...]}` (OpenAI, Anthropic and most), or the list without a wrapper
    (Together).
    """
    try:
        parsed: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    items = parsed.get("data") if isinstance(parsed, dict) else parsed
    if not isinstance(items, list):
        return None
    names = (item.get("id") for item in items if isinstance(item, dict))
    return tuple(name for name in names if isinstance(name, str) and name)
