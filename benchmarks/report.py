"""Writes the latest figures into the pages that show them, between their marks.

python -m benchmarks.report
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import Judged, cells, judged, short, wanted
from benchmarks.kept import load

TOP = Path(__file__).parents[1]
_BETWEEN = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)
_WORDS = {"reached": "达到", "missed": "未达到", "not measured": "未测"}


def rendered(text: str, figures: str) -> str:
    """The page with these figures between its marks."""
    return _BETWEEN.sub(lambda found: f"{found[1]}{figures}{found[2]}", text)


def main() -> None:
    """Write all pages."""
    kept = load()
    for name, figures in PAGES.items():
        page = TOP / name
        page.write_text(rendered(page.read_text(encoding="utf-8"), figures(kept)), encoding="utf-8")


def whole(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """Every bar."""
    head = ("work", "figure", "Raceway", "Telegraf", "ratio", "bar", "")
    return _markdown([head, *cells(judged(kept))]) + said(kept)


def first(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """The most telling ones."""
    rows = [row for row in judged(kept) if row.bar.chinese]
    head = ("work", "figure", "Raceway", "Telegraf", "ratio", "bar", "")
    return _markdown([head, *cells(rows)]) + said(kept)


def chinese(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """The same, in Chinese."""
    rows = [row for row in judged(kept) if row.bar.chinese]
    head = ("工作", "指标", "Raceway", "Telegraf", "比值", "目标", "")
    return _markdown([head, *(_chinese(row) for row in rows)]) + said(kept)


def _chinese(row: Judged) -> tuple[str, ...]:
    bar, ours, theirs, ratio, verdict = row
    return bar.chinese, bar.figure, short(ours), short(theirs), short(ratio), wanted(bar), _WORDS[verdict]


def said(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """Where, when and how often it was measured."""
    if not kept:
        return "\nNothing has been measured yet.\n"
    newest = max(kept.values(), key=lambda each: str(each["when"]))
    machine, versions = (
        newest["machine"],
        {name: text for each in kept.values() for name, text in each["versions"].items()},
    )
    rounds = [min(each["rounds"].values()) for each in kept.values()]
    loads = [each["machine"]["load_average"][2] for each in kept.values()]
    return (
        f"\n{newest['when'][:10]}, {machine['cores']} cores ({machine['cpu']}), Python {machine['python']}, "
        f"{', '.join(sorted(set(versions.values()) - {versions['raceway']}))}; "
        f"{min(rounds)} to {max(rounds)} runs of {newest['settings']['seconds']:g} s, medians; "
        f"load average {min(loads):.1f} to {max(loads):.1f}, the benchmark's own included.\n"
    )


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


PAGES: Mapping[str, Callable[[Mapping[str, Mapping[str, Any]]], str]] = {
    "README.md": first,
    "README.zh-CN.md": chinese,
    "docs/guide/benchmarks.md": whole,
}


if __name__ == "__main__":
    main()
