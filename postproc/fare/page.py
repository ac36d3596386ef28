# SPDX-License-Identifier: BSD-2-Clause
"""HTML of reports: the page, its tables, and numbers as people read them."""
from __future__ import annotations

import html
import math
import os
import pathlib
from collections.abc import Iterable
from typing import Callable

import numpy as np

from fare.files import Array
from fare.tables import Measured

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 72rem; margin: 2rem auto; padding: 0 1.2rem; }}
h1 {{ font-size: 1.7rem; margin-bottom: .3rem; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ddd; padding-bottom: .2rem; }}
p.summary {{ font-size: 1.05rem; max-width: 60rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .8rem; text-align: right; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; padding-left: .2rem; }}
td.text, th.text {{ text-align: left; }}
thead th {{ border-bottom: 1px solid #555; vertical-align: bottom; font-weight: 600; white-space: normal; }}
tbody th {{ padding-top: .7rem; font-weight: 600; }}
tbody th span {{ font-weight: 400; color: #555; }}
tbody tr:hover td {{ background: #f4f6f8; }}
td.noise {{ color: #6b6b6b; }}
figure {{ margin: 1.4rem 0 2rem; }}
figure img {{ width: 100%; max-width: 60rem; height: auto; display: block; }}
figure img.small {{ max-width: 30rem; }}
ul.findings {{ font-size: 1.05rem; max-width: 60rem; padding-left: 1.1rem; }}
ul.findings li {{ margin: .25rem 0; }}
details {{ margin: .5rem 0; }}
summary {{ cursor: pointer; font-weight: 600; padding: .15rem 0; }}
.controls {{ display: flex; flex-wrap: wrap; gap: .8rem; align-items: center; margin-bottom: .6rem; }}
.controls input {{ flex: 1 1 16rem; max-width: 36rem; }}
.controls output {{ min-width: 12rem; font-variant-numeric: tabular-nums; }}
#scene svg {{ width: 100%; max-width: 60rem; height: auto; display: block; font-size: 13px; }}
#scene svg .grid {{ stroke: #e4e4e4; }}
#scene p {{ margin: .3rem 0; font-size: .9rem; }}
#scene .key span {{ margin-right: 1.2rem; font-weight: 600; }}
#scene .bar span {{ margin: 0 .4rem; }}
#scene .maps {{ display: flex; flex-wrap: wrap; gap: .8rem; }}
#scene .maps div {{ width: 13rem; font-size: .9rem; }}
#scene .maps canvas {{ width: 100%; display: block; margin-bottom: .4rem; }}
figcaption, p.note {{ font-size: .9rem; color: #444; max-width: 60rem; }}
pre {{ background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: .85rem; line-height: 1.4; }}
@media print {{ body {{ margin: 0; max-width: none; }} figure {{ break-inside: avoid; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def number(value: float, digits: int = 3) -> str:
    """Three digits, plain where that is readable (0.0123, 1.23e-5); a dash where there is no number."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 1e4:
        return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return f"{value:.{digits - 1}e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def measured(value: float, error: float) -> str:
    """A number with its error in brackets, 1.565(29)e-7; six digits without where the error is below them."""
    if not (0 < error < math.inf and 1e-6 * abs(value) < error < abs(value)):
        return number(value, 6)
    bar, last = f"{error:.1e}".split("e")
    value = round(value / 10.0 ** (int(last) - 1)) * 10.0 ** (int(last) - 1)
    text = f"{value:.{max(0, int(f'{value:.15e}'.split('e')[1]) - int(last) + 1)}e}"
    mantissa, power = text.split("e")
    return f"{mantissa}({bar.replace('.', '')})" + (f"e{int(power)}" if int(power) else "")


def count(value: int) -> str:
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}") if value < 10_000_000 else number(value)


def highest(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else math.nan


def unit_of(measured: Measured) -> str:
    return "no unit" if measured.unit in ("1", "none", "-", "") else measured.unit


def table(heads: Iterable[tuple[str, bool]], rows: Iterable[str]) -> str:
    head = "".join(f'<th{" class=text" if text else ""}>{html.escape(title)}</th>' for title, text in heads)
    return (
        "<div"
        f' class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>'
    )


def folded(title: str, *blocks: str) -> str:
    """Blocks behind a click."""
    return f"<details><summary>{html.escape(title)}</summary>\n{chr(10).join(blocks)}\n</details>"


def write_aside(path: pathlib.Path, write: Callable[[pathlib.Path], object]) -> None:
    """The file has its name only once it is complete."""
    aside = path.with_name(path.name + ".tmp")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
