"""How the page looks."""

from __future__ import annotations

from typing import Final

from inference_forge.core.charts.palette import DARK, LIGHT, chart_css

_LAYOUT: Final = """
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;
overflow-wrap:anywhere}
main{max-width:1080px;margin:0 auto;padding:20px 16px 48px}
header{margin-bottom:18px}
h1{font-size:21px;line-height:1.3;margin:0 0 4px}
h2{font-size:16px;margin:34px 0 10px}
h3{font-size:14px;margin:0 0 8px}
p{margin:6px 0}
.badge{display:inline-block;border-radius:999px;padding:1px 11px;margin-right:8px;font-weight:600;
font-size:14px}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:8px}
.tile{border-radius:10px;padding:9px 12px}
.tile b{display:block;font-size:19px;line-height:1.25;font-weight:650}
.tile span,.note,th,dt{font-size:12.5px}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:12px;
align-items:start}
.card{border-radius:12px;padding:13px 14px;margin:0;min-width:0}
.card svg{display:block;width:100%;max-width:500px;height:auto;overflow:visible}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;overflow-wrap:normal}
th{font-weight:500;white-space:nowrap}
td.place{white-space:nowrap}
td.long{overflow-wrap:anywhere;min-width:240px}
td.name{overflow-wrap:anywhere;min-width:130px}
td.figure{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
th.figure{text-align:right}
code,.quote{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace}
ul{margin:4px 0;padding-left:20px}
summary{cursor:pointer;padding:4px 0}
footer{margin-top:36px}
@media print{.card,.tile{break-inside:avoid}}
"""


def page_css() -> str:
    """Return the style sheet of the page; it follows the light or dark of the reader's system."""
    return (
        f"{_LAYOUT.replace(chr(10), '')}{chart_css()}{_coloured(LIGHT)}"
        f":root{{color-scheme:light dark}}"
        f"@media (prefers-color-scheme:dark){{{_coloured(DARK)}}}"
    )


def _coloured(colours: dict[str, str]) -> str:
    paper, line, soft = colours["paper"], colours["line"], colours["soft"]
    badges = "".join(
        f".badge.{name}{{background:{colours[name]};color:{paper}}}"
        for name in ("green", "amber", "red", "grey")
    )
    return (
        f"body{{background:{colours['empty']};color:{colours['ink']}}}"
        f".card,.tile{{background:{paper};border:1px solid {line}}}"
        f".tile span,.note,th,dt,footer{{color:{soft}}}"
        f"tr+tr td{{border-top:1px solid {line}}}{badges}"
    )
