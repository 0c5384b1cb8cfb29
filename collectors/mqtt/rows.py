"""Rows of a tag list (CSV, XLSX) as mappings: one row a signal, the mapping's own columns repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping

from collectors.mqtt.signals import SignalSettings

_MAPPING_COLUMNS = (
    "topic",
    "profile",
    "area",
    "line",
    "machine",
    "device",
    "payload",
    "only",
    "ignore",
    "each",
    "sparse",
)
_TIME_COLUMNS = {"time_path": "path", "time_format": "format", "zone": "zone", "time_required": "required"}
ROW_COLUMNS = (*_MAPPING_COLUMNS, *_TIME_COLUMNS, *SignalSettings.model_fields)
"""What a row may say."""


def mappings_from_rows(rows: Iterable[AnyMapping[str, object]]) -> list[dict[str, object]]:
    """Mappings, ready to be validated; rows with equal mapping columns become one mapping.

    Empty cells are left out. Unknown columns are kept in the signal, and cells that cannot be read as they are, so that
    validation names them. Cells of several parts: only and ignore `type=data|hstdata; cmd=1`, map `RUN=1; STOP=0`,
    no_value `65535; ----`.
    """
    mappings: dict[str, dict[str, object]] = {}
    for row in rows:
        cells = {name: _PARTS.get(name, _as_it_is)(cell) for name, cell in row.items() if cell not in ("", None)}
        mapping: dict[str, object] = {name: cells.pop(name) for name in _MAPPING_COLUMNS if name in cells}
        time = {key: cells.pop(name) for name, key in _TIME_COLUMNS.items() if name in cells}
        if time:
            mapping["time"] = time
        held = mappings.setdefault(repr(mapping), {**mapping, "signals": []})
        signals = held["signals"]
        assert isinstance(signals, list)
        signals.append(cells)
    return list(mappings.values())


def _as_it_is(cell: object) -> object:
    return cell


def _pairs(cell: object) -> object:
    """`RUN=1; STOP=0` as {RUN: 1, STOP: 0}; the cell where it is none."""
    parts = [part.strip() for part in str(cell).split(";") if part.strip()]
    if not parts or not all("=" in part for part in parts):
        return cell
    return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in parts)}


def _shape(cell: object) -> object:
    """`type=data|hstdata` as {type: (data, hstdata)}; a number is meant as a number and as a text."""
    pairs = _pairs(cell)
    if not isinstance(pairs, dict):
        return cell
    return {path: tuple(one for word in words.split("|") for one in _meant(word)) for path, words in pairs.items()}


def _shapes(cell: object) -> object:
    shape = _shape(cell)
    return (shape,) if isinstance(shape, dict) else cell


def _values(cell: object) -> object:
    """`65535; ----` as (65535, "----")."""
    return tuple(one for word in str(cell).split(";") if word.strip() for one in _meant(word))


def _meant(word: str) -> tuple[float | str, ...]:
    word = word.strip()
    try:
        return float(word), word
    except ValueError:
        return (word,)


_PARTS: dict[str, Callable[[object], object]] = {
    "only": _shape,
    "ignore": _shapes,
    "map": _pairs,
    "no_value": _values,
}
