"""The ledger: every value that the simulator emitted, so that a loss is counted against what was really sent.

An append-only file of JSON lines. A line is in the file before its values leave the process (one `write`, so a killed
process loses none), and says

* ``{"source": "opcua", "machine": m, "t_ns": t, "values": {signal: value, …}}``: written to the nodes of a machine with
  this source timestamp. Only values that differ from the one before are written, and emitted: a server sends no others.
* ``{"source": "mqtt", "topic": …, "machine": m, "t_ns": t, "values": {…}}``: handed to the MQTT client;
  ``{"accepted": topic, "t_ns": t}``: the broker has acknowledged it. Only then it counts as emitted. A message without
  this line may have arrived or not: it is neither demanded nor wondered at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

Value = float | str


class Emission(NamedTuple):
    """What identifies one emitted value."""

    machine: str
    signal: str
    t_ns: int


class Ledger:
    """The writing side; `path` may hold an earlier run, which is continued."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def written(self, machines: Iterable[tuple[str, int, Mapping[str, Value]]]) -> None:
        """Values about to be written to OPC UA nodes: (machine, t_ns, values) each."""
        self._append(
            {"source": "opcua", "machine": machine, "t_ns": t_ns, "values": values}
            for machine, t_ns, values in machines
        )

    def published(self, topic: str, machine: str, t_ns: int, values: Mapping[str, float]) -> None:
        """Values about to be published in one message."""
        self._append([{"source": "mqtt", "topic": topic, "machine": machine, "t_ns": t_ns, "values": values}])

    def accepted(self, topic: str, t_ns: int) -> None:
        """The broker has taken over the message."""
        self._append([{"accepted": topic, "t_ns": t_ns}])

    def _append(self, lines: Iterable[Mapping[str, object]]) -> None:
        os.write(self._file, b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read a ledger line by line; a last line that a killed process left torn is passed over."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


@dataclass(slots=True)
class Emitted:
    """What a ledger says was emitted, by source, and what may have been."""

    opcua: dict[Emission, Value] = field(default_factory=dict)
    mqtt: dict[Emission, Value] = field(default_factory=dict)
    unsure: dict[Emission, Value] = field(default_factory=dict)

    @classmethod
    def read(cls, *paths: Path) -> Emitted:
        """Take together the ledgers of one or more simulators."""
        emitted = cls()
        for path in paths:
            messages: dict[tuple[str, int], dict[Emission, Value]] = {}
            for line in lines(path):
                if "accepted" in line:
                    emitted.mqtt.update(messages.pop((line["accepted"], line["t_ns"]), {}))
                    continue
                values = {Emission(line["machine"], name, line["t_ns"]): v for name, v in line["values"].items()}
                if line["source"] == "opcua":
                    emitted.opcua.update(values)
                else:
                    messages[line["topic"], line["t_ns"]] = values
            for values in messages.values():
                emitted.unsure.update(values)
        return emitted

    @property
    def certain(self) -> dict[Emission, Value]:
        """Everything that must arrive."""
        return {**self.opcua, **self.mqtt}

    def against(self, kept: Mapping[Emission, Value]) -> Verdict:
        """Compare with what was kept."""
        certain = self.certain
        both = certain.keys() & kept.keys()
        return Verdict(
            missing=sorted(certain.keys() - kept.keys(), key=lambda emission: emission.t_ns),
            different=[emission for emission in both if certain[emission] != kept[emission]],
            unknown=[emission for emission in kept.keys() - both if self.unsure.get(emission) != kept[emission]],
        )


class Verdict(NamedTuple):
    """How what was kept differs from what was emitted."""

    missing: list[Emission]  # emitted, not kept: oldest first
    different: list[Emission]  # kept with another value
    unknown: list[Emission]  # kept, never emitted

    @property
    def lost(self) -> int:
        """How many emitted values are not there as they were emitted."""
        return len(self.missing) + len(self.different)
