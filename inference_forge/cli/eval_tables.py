"""The tables that `forge eval` prints: labels one by one, and what was taken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

from inference_forge.core.terminal import safe_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inference_forge.core.evaluation import ClassFigures, Interval

WIDTH: Final = 80
_LABEL_WIDTH: Final = 22
_ROWS_WIDTH: Final = 7
_SHARE_WIDTH: Final = 17
_MAX_CLASSES: Final = 30
_MAX_CONFUSIONS: Final = 10
_NO_LABEL: Final = "none"


def label_name(label: str, width: int = _LABEL_WIDTH) -> str:
    """Return a label that takes at most `width` columns and does nothing to a terminal."""
    name = safe_line(label, width * 2)
    return name if cell_len(name) <= width else set_cell_size(name, width - 1).rstrip() + "…"


def class_table(classes: Sequence[ClassFigures]) -> list[str]:
    """Return the figures of each label; of very many those of the lowest F1."""
    shown = list(classes)
    lines = []
    if len(shown) > _MAX_CLASSES:
        shown = sorted(shown, key=lambda item: (item.f1, item.label))[:_MAX_CLASSES]
        lines.append(
            f"  the {_MAX_CLASSES} labels of {len(classes)} with the lowest F1 (--json has all)"
        )
    heads = [title.rjust(_SHARE_WIDTH) for title in ("precision", "recall", "F1")]
    lines.append(
        "  " + "label".ljust(_LABEL_WIDTH - 2) + "rows".rjust(_ROWS_WIDTH) + "".join(heads)
    )
    for item in shown:
        cells = [
            _with_interval(item.precision.value, item.precision.interval),
            _with_interval(item.recall.value, item.recall.interval),
            _with_interval(item.f1 if item.gold or item.found else None, item.f1_interval),
        ]
        name = set_cell_size(label_name(item.label, _LABEL_WIDTH - 2), _LABEL_WIDTH - 2)
        rows = str(item.gold).rjust(_ROWS_WIDTH)
        lines.append("  " + name + rows + "".join(cell.rjust(_SHARE_WIDTH) for cell in cells))
    return lines


def confusion_lines(
    pairs: Mapping[tuple[str, str | None], int], labels: Sequence[str]
) -> list[str]:
    """Return the confusion matrix where it fits, else the largest confusions."""
    columns: list[str | None] = list(labels)
    if any(found is None for _, found in pairs):
        columns.append(None)
    numbers = [pairs.get((gold, found), 0) for gold in labels for found in columns]
    width = max(len(str(max(numbers, default=0))), len(str(len(labels)))) + 2
    if None in columns:
        width = max(width, len(_NO_LABEL) + 1)
    if 2 + _LABEL_WIDTH + width * len(columns) > WIDTH:
        return _largest(pairs)
    heads = [_NO_LABEL if label is None else str(i) for i, label in enumerate(columns, 1)]
    lines = ["  " + "gold \\ found".ljust(_LABEL_WIDTH) + "".join(h.rjust(width) for h in heads)]
    for i, gold in enumerate(labels, 1):
        if not any(pairs.get((gold, found)) for found in columns):
            cells = ""  # no gold row has it
        else:
            cells = "".join(
                str(pairs.get((gold, found), 0) or ".").rjust(width) for found in columns
            )
        number = f"{i:>{len(str(len(labels)))}} "
        name = label_name(gold, _LABEL_WIDTH - len(number))
        line = "  " + number + set_cell_size(name, _LABEL_WIDTH - len(number)) + cells
        lines.append(line.rstrip())
    return lines


def _largest(pairs: Mapping[tuple[str, str | None], int]) -> list[str]:
    wrong = {pair: rows for pair, rows in pairs.items() if pair[0] != pair[1]}
    if not wrong:
        return []
    order = sorted(wrong, key=lambda pair: (-wrong[pair], pair[0], pair[1] or ""))
    total: dict[str, int] = {}
    for (gold, _), rows in pairs.items():
        total[gold] = total.get(gold, 0) + rows
    lines = ["  " + "gold".ljust(28) + "found".ljust(28) + "rows".rjust(8) + "of gold".rjust(10)]
    for gold, found in order[:_MAX_CONFUSIONS]:
        names = [label_name(gold, 26), _NO_LABEL if found is None else label_name(found, 26)]
        share = f"{wrong[gold, found] / total[gold]:.1%}".replace("%", " %")
        cells = "".join(set_cell_size(name, 28) for name in names)
        lines.append(f"  {cells}{wrong[gold, found]:>8}{share:>10}")
    more = len(order) - _MAX_CONFUSIONS
    if more > 0:
        lines.append(f"  and {more:,} more kinds of confusion (--json has all)")
    return lines


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return "-"
    return f"{_hundred(value)} ({_hundred(interval.low)}-{_hundred(interval.high)})"


def _hundred(share: float) -> str:
    """Return per cent with one digit; 100 without, so that columns stay narrow."""
    shown = f"{100 * share:.1f}"
    return "100" if shown == "100.0" else shown
