"""What devices of known makers send, as mappings to start from: one YAML file each, beside this page.

A mapping that names a profile is the profile with the mapping's own settings laid over it; signals are laid over each
other by name. Transformer ratios are never in a profile: they belong to the cabinet, not to the make of the meter.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent


def names() -> list[str]:
    """Every profile that comes with Raceway."""
    return sorted(path.stem for path in HERE.glob("*.yaml"))


def with_profile(mapping: Mapping[str, Any], *, directory: Path | None) -> dict[str, Any]:
    """The mapping over its profile; a copy of it where it names none. Raises ValueError, for people.

    directory: where a profile of the plant's own lies.  The mapping's signals keep their places, the profile's follow.
    """
    name = mapping.get("profile")
    if not isinstance(name, str):
        return dict(mapping)
    known = profile(name) if not name.endswith((".yaml", ".yml")) else _read((directory or Path()) / name)
    own = {key: value for key, value in mapping.items() if value is not None}
    whole = {**known, **own}
    signals, theirs = own.get("signals", []), known.get("signals", [])
    if isinstance(signals, list | tuple):
        by_name = {signal["signal"]: signal for signal in theirs}
        merged = [
            {**by_name.pop(signal.get("signal"), {}), **signal} if isinstance(signal, dict) else signal
            for signal in signals
        ]
        whole["signals"] = [*merged, *by_name.values()]
    return whole


@cache
def profile(name: str) -> Mapping[str, Any]:
    """A profile that comes with Raceway. Raises ValueError, for people."""
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=1, cutoff=0.4) or names()
        raise ValueError(f"there is no profile {name!r}; use {' or '.join(close)}, or a file of your own, name.yaml")
    return _read(HERE / f"{name}.yaml")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the profile {path} cannot be read; check its name ({error})") from None
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"the profile {path} is not YAML; {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"the profile {path} is no mapping; write topic, time, signals as in a configuration")
    document.pop("about", None)
    signals = document.get("signals", [])
    if not isinstance(signals, list) or not all(isinstance(one, dict) and "signal" in one for one in signals):
        raise ValueError(f"the signals of the profile {path} are no list of named signals; write - signal: name")
    return document
