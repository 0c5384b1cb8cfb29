"""What one run gave, and what several runs of several peers come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

Figures = dict[str, float]
"""Name with its unit -> value, of one run."""


def percentiles(name: str, found_ms: Sequence[float]) -> Figures:
    """p50 and p99 of these; none of none."""
    if not found_ms:
        return {}
    ordered = sorted(found_ms)
    return {f"{name} p{share}, ms": ordered[min(len(ordered) * share // 100, len(ordered) - 1)] for share in (50, 99)}


def summary(runs: Sequence[Figures]) -> dict[str, dict[str, float]]:
    """Median, least and most of each figure."""
    names = [name for name in runs[0] if all(name in run for run in runs)]
    return {
        name: {
            "median": median(run[name] for run in runs),
            "min": min(run[name] for run in runs),
            "max": max(run[name] for run in runs),
        }
        for name in names
    }


def ratios(ours: Sequence[Figures], theirs: Sequence[Figures]) -> dict[str, float]:
    """Ours over theirs, pair by pair, the median; only where all are above zero."""
    found = {}
    for name in ours[0]:
        both = list(zip(ours, theirs, strict=False))  # the last round may have ended between the two
        pairs = [(a[name], b[name]) for a, b in both if a.get(name) and b.get(name)]
        if pairs and len(pairs) == len(both):
            found[name] = median(a / b for a, b in pairs)
    return found


def table(results: Mapping[str, Sequence[Figures]], *, ours: str) -> str:
    """One row a figure, one column a peer: median (least–most), and ours over theirs."""
    peers = list(results)
    sums = {peer: summary(runs) for peer, runs in results.items()}
    over = {peer: ratios(results[ours], results[peer]) for peer in peers if peer != ours and ours in results}
    names = list(dict.fromkeys(name for peer in peers for name in sums[peer]))
    rows = [["", *peers, *(f"{ours} / {peer}" for peer in over)]]
    for name in names:
        cells = [_cell(sums[peer].get(name)) for peer in peers]
        rows.append([name, *cells, *(f"{over[peer][name]:.2f}" if name in over[peer] else "" for peer in over)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _cell(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    middle, least, most = (_short(found[name]) for name in ("median", "min", "max"))
    return middle if least == most else f"{middle} ({least}–{most})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
