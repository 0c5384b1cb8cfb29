"""The meters of the plant, pure: each follows what it measures, and publishes short JSON keys as real gateways do."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from collectors.points import Kind
from collectors.simulator.machines import Machine, Place, State, toward


class Key(NamedTuple):
    """One key of a meter's JSON payload: what it is called on the wire, and what it means."""

    path: str
    signal: str
    unit: str
    kind: Kind = Kind.GAUGE


ENERGY_KEYS = (
    Key("p", "active_power", "kW"),
    Key("e", "active_energy", "kWh", Kind.COUNTER),
    Key("u", "voltage", "V"),
    Key("i", "current", "A"),
    Key("pf", "power_factor", "1"),
)
FLOW_KEYS = (Key("f", "flow", "m³/h"), Key("v", "volume", "m³", Kind.COUNTER))
AIR_KEYS = (*FLOW_KEYS, Key("bar", "pressure", "bar"))

MEDIA: Mapping[str, tuple[Key, ...]] = {
    "energy": ENERGY_KEYS,
    "gas": FLOW_KEYS,
    "water": FLOW_KEYS,
    "air": AIR_KEYS,
}
"""The last level of a topic says which of these payloads it carries."""


class Meter(Protocol):
    """A meter publishes on one topic; `step` lets the time pass and gives the payload without its timestamp."""

    topic: str
    name: str
    medium: str

    def step(self, dt_s: float) -> Mapping[str, float]:
        """Payload keys to values, see `MEDIA`."""
        ...


def _topic(area: str, line: str, name: str, medium: str) -> str:
    return f"plant/{area}/{line}/{name}/{medium}"


class Energy:
    """A three-phase electricity meter before one or more loads, read on the primary side."""

    medium = "energy"

    def __init__(self, place: Place | tuple[str, str, str], rng: random.Random, loads: Sequence[Place]) -> None:
        area, line, self.name = place if isinstance(place, tuple) else (place.area, place.line, place.name)
        self.topic = _topic(area, line, self.name, self.medium)
        self._rng, self._loads = rng, loads
        self._energy_kwh = rng.uniform(2_000, 90_000)
        self._voltage = 231.0

    def step(self, dt_s: float) -> Mapping[str, float]:
        """Power p in kW, energy e in kWh, voltage u in V (line to neutral), current i in A, power factor pf."""
        power_kw = max(0.0, sum(load.power_kw for load in self._loads) * self._rng.gauss(1.0, 0.006))
        self._energy_kwh += power_kw * dt_s / 3600
        self._voltage = toward(self._voltage, 231.0 + self._rng.gauss(0, 1.5), dt_s, 20.0)
        power_factor = 0.62 + 0.3 * (1 - math.exp(-power_kw / 4))
        current = power_kw * 1000 / (3 * self._voltage * power_factor)
        return {
            "p": round(power_kw, 3),
            "e": round(self._energy_kwh, 4),
            "u": round(self._voltage, 2),
            "i": round(current, 2),
            "pf": round(power_factor, 3),
        }


class Flow:
    """A gas or water meter: a base flow, more for every machine that runs."""

    def __init__(
        self, medium: str, place: tuple[str, str, str], rng: random.Random, *, base_m3h: float, by_running_m3h: float
    ) -> None:
        self.medium, (area, line, self.name) = medium, place
        self.topic = _topic(area, line, self.name, medium)
        self._rng, self._base_m3h, self._by_running_m3h = rng, base_m3h, by_running_m3h
        self._machines: Sequence[Machine] = ()
        self._volume_m3 = rng.uniform(1_000, 60_000)
        self._flow_m3h = base_m3h

    def follows(self, machines: Sequence[Machine]) -> None:
        """Name the machines that draw from it."""
        self._machines = machines

    def step(self, dt_s: float) -> Mapping[str, float]:
        """Flow f in m³/h, volume v in m³."""
        running = sum(machine.state is State.RUNNING for machine in self._machines)
        wanted_m3h = self._base_m3h + self._by_running_m3h * running
        self._flow_m3h = max(0.0, toward(self._flow_m3h, wanted_m3h * self._rng.gauss(1, 0.03), dt_s, 5.0))
        self._volume_m3 += self._flow_m3h * dt_s / 3600
        return {"f": round(self._flow_m3h, 2), "v": round(self._volume_m3, 4)}


class Air:
    """The compressor: it fills the ring main as the machines empty it, and draws power for it."""

    medium = "air"
    area, line, name = "utilities", "air", "compressor-1"

    def __init__(self, machines: Sequence[Machine], rng: random.Random) -> None:
        self.topic = _topic(self.area, self.line, self.name, self.medium)
        self._machines, self._rng = machines, rng
        self._flow_m3h, self._pressure_bar = 120.0, 7.0
        self._volume_m3 = rng.uniform(100_000, 900_000)

    @property
    def power_kw(self) -> float:
        """About 0.11 kWh for a cubic metre at 7 bar, and what it takes to idle."""
        return 3.5 + 0.11 * self._flow_m3h

    def step(self, dt_s: float) -> Mapping[str, float]:
        """Flow f in m³/h, volume v in m³, pressure in bar."""
        running = sum(machine.state is State.RUNNING for machine in self._machines)
        self._flow_m3h = max(20.0, toward(self._flow_m3h, 40 + 14 * running + self._rng.gauss(0, 4), dt_s, 8.0))
        self._pressure_bar = toward(self._pressure_bar, 7.4 - 0.003 * self._flow_m3h, dt_s, 15.0)
        self._volume_m3 += self._flow_m3h * dt_s / 3600
        return {"f": round(self._flow_m3h, 2), "v": round(self._volume_m3, 3), "bar": round(self._pressure_bar, 3)}
