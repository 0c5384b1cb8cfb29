"""Looking at a store from outside, while the agent runs or not: nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.store.files import Files
from agent.store.segment import Segment, parse_name, read_sealed


def open_segments(files: Files, directory: Path) -> Iterator[Segment]:
    """The segments of one stream in their order; the growing one up to its present size."""
    for name in files.list(directory):
        parsed = parse_name(name)
        if parsed is None or not name.endswith(".seg"):
            continue
        try:
            sealed = read_sealed(files, directory / name)
            if sealed is None:
                handle = files.open(directory / name)
                try:
                    sealed = Segment(directory / name, *parsed, end=files.size(handle))
                finally:
                    files.close(handle)
        except OSError:
            continue
        yield sealed
