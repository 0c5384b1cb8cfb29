"""The machines of the plant, pure: how a lathe, a grinder and an assembly cell behave from second to second."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from collectors.points import Kind

Reading = Mapping[str, float | str]


class State(IntEnum):
    """What a machine is doing; the number is the value of its `state` signal."""

    OFF = 0
    IDLE = 1
    SETUP = 2
    RUNNING = 3
    FAULT = 4


@dataclass(frozen=True, slots=True)
class Signal:
    """One variable of a machine: its name, unit and range, and the OPC UA type in which its controller keeps it."""

    name: str
    unit: str = ""
    kind: Kind = Kind.GAUGE
    wire: str = "Double"  # the name of an OPC UA built-in type
    low: float = 0.0
    high: float = 0.0


class Place(Protocol):
    """Where something stands, and what it draws from the mains."""

    area: str
    line: str
    name: str

    @property
    def power_kw(self) -> float:
        """Active power at this moment."""
        ...


STATE = Signal("state", kind=Kind.STATE, wire="Byte", high=4)
MODE = Signal("mode", kind=Kind.STATE, wire="Byte", high=1)  # 0 by hand, 1 automatic
GOOD_COUNT = Signal("good_count", "pcs", Kind.COUNTER, "UInt32", high=4e9)
SCRAP_COUNT = Signal("scrap_count", "pcs", Kind.COUNTER, "UInt32", high=4e9)
CYCLE_TIME = Signal("cycle_time", "s", high=120)
ORDER = Signal("order", kind=Kind.TEXT, wire="String")
PRODUCT = Signal("product", kind=Kind.TEXT, wire="String")
COUNTED = (STATE, MODE, GOOD_COUNT, SCRAP_COUNT, CYCLE_TIME, ORDER, PRODUCT)

SHIFT_S = 8 * 3600  # early, late and night shift, from 08:00 on
BREAKS_S = ((2 * 3600, 600), (4 * 3600, 1800), (6 * 3600, 600), (SHIFT_S - 600, 600))  # the last one is the hand-over


def at_work(clock_s: float) -> bool:
    """Whether people are at the machines at this time of the day (seconds since midnight)."""
    into_shift_s = (clock_s - 8 * 3600) % SHIFT_S
    return not any(start <= into_shift_s < start + length for start, length in BREAKS_S)


def toward(value: float, target: float, dt_s: float, tau_s: float) -> float:
    """One step of a first-order lag with the time constant tau_s."""
    return target + (value - target) / (1.0 + dt_s / tau_s)


class Machine:
    """What all machines share: a state, orders, pieces, and the people who go on a break.

    `cycle_s` is the time of one piece, `scrap` the share of bad ones, `fault_every_s` the mean running time between
    two faults. Subclasses add their signals in `signals` and their physics in `_physics`.
    """

    signals: tuple[Signal, ...] = COUNTED
    cycle_s = 20.0
    scrap = 0.01
    fault_every_s = 1800.0
    order_size = 400

    def __init__(
        self, name: str, area: str, line: str, title: str, rng: random.Random, products: Sequence[str] = ("",)
    ) -> None:
        self.name, self.area, self.line, self.title = name, area, line, title
        self.state = State.RUNNING
        self._rng = rng
        self._products = products
        self._stagger_s = rng.uniform(0, 240)  # not everybody leaves at once
        self._hold_s = 0.0
        self._progress_s = rng.uniform(0, self.cycle_s)
        self._this_cycle_s = self._last_cycle_s = self.cycle_s * rng.uniform(0.96, 1.06)
        self._good, self._scrap = rng.randrange(200, 4000), rng.randrange(0, 40)
        self._order_left = rng.randrange(self.order_size // 4, self.order_size)
        self._order_number = rng.randrange(100, 900)
        self._product = rng.choice(products)
        self._prepare()

    def _prepare(self) -> None:
        """Set the physics to where a long shift left it."""

    @property
    def power_kw(self) -> float:
        """Active power at this moment."""
        raise NotImplementedError

    def step(self, dt_s: float, clock_s: float) -> Reading:
        """Let dt_s pass and show every signal."""
        self._advance(dt_s, clock_s)
        return {**self._counted(), **self._physics(dt_s)}

    def _physics(self, dt_s: float) -> Reading:
        raise NotImplementedError

    def _advance(self, dt_s: float, clock_s: float) -> None:
        if self._hold_s > 0.0:
            self._hold_s -= dt_s
        elif not at_work(clock_s - self._stagger_s):
            self.state = State.IDLE
        else:
            self.state = State.RUNNING
            self._produce(dt_s)

    def _produce(self, dt_s: float) -> None:
        self._progress_s += dt_s
        while self._progress_s >= self._this_cycle_s:
            self._progress_s -= self._this_cycle_s
            self._last_cycle_s = self._this_cycle_s
            self._this_cycle_s = self.cycle_s * self._rng.uniform(0.96, 1.06)
            self._finish_piece()
        if self._rng.random() < dt_s / self.fault_every_s:
            self._hold(State.FAULT, self._rng.uniform(15, 90))

    def _finish_piece(self) -> None:
        if self._rng.random() < self.scrap:
            self._scrap += 1
            return
        self._good += 1
        self._order_left -= 1
        if self._order_left <= 0:
            self._order_left = self.order_size
            self._order_number += 1
            self._product = self._rng.choice(self._products)
            self._hold(State.SETUP, self._rng.uniform(40, 150))

    def _hold(self, state: State, for_s: float) -> None:
        self.state, self._hold_s = state, for_s

    def _counted(self) -> Reading:
        return {
            "state": float(self.state),
            "mode": 0.0 if self.state is State.SETUP else 1.0,
            "good_count": float(self._good),
            "scrap_count": float(self._scrap),
            "cycle_time": round(self._last_cycle_s, 2),
            "order": f"MO-{self._order_number:04d}",
            "product": self._product,
        }

    def _noise(self, sigma: float) -> float:
        return self._rng.gauss(0.0, sigma)


class TurningCentre(Machine):
    """A lathe that turns rings: cuts most of its cycle, then stands still for loading."""

    signals = (
        *COUNTED,
        Signal("spindle_speed", "rpm", high=4000),
        Signal("spindle_load", "%", wire="Float", high=150),
        Signal("spindle_temperature", "°C", wire="Float", high=120),
        Signal("coolant_temperature", "°C", wire="Float", high=60),
        Signal("vibration", "mm/s", high=20),
    )
    cycle_s = 18.0

    def _prepare(self) -> None:
        self._speed, self._load = 0.0, 0.0
        self._spindle_c, self._coolant_c = self._rng.uniform(38, 46), self._rng.uniform(23, 27)

    @property
    def power_kw(self) -> float:
        """Drives and coolant pump follow the load; a waiting machine still draws its controls and hydraulics."""
        return 1.1 + (0.8 if self.state is State.RUNNING else 0.0) + 0.115 * self._load

    def _physics(self, dt_s: float) -> Reading:
        cuts = self.state is State.RUNNING and self._progress_s > 0.18 * self._this_cycle_s
        self._speed = toward(self._speed, 3200.0 if cuts else 0.0, dt_s, 0.8)
        self._load = max(0.0, toward(self._load, 52.0 + self._noise(6) if cuts else 0.0, dt_s, 0.7))
        self._spindle_c = toward(self._spindle_c, 30 + 0.5 * self._load, dt_s, 300)
        self._coolant_c = toward(self._coolant_c, 24 + 0.06 * self._load, dt_s, 900)
        return {
            "spindle_speed": round(self._speed + (self._noise(4) if cuts else 0.0), 1) if self._speed > 1 else 0.0,
            "spindle_load": round(self._load, 1),
            "spindle_temperature": round(self._spindle_c, 1),
            "coolant_temperature": round(self._coolant_c, 1),
            "vibration": round(0.2 + 0.03 * self._load + abs(self._noise(0.1)), 2),
        }


class Grinder(Machine):
    """An internal grinder: short cycles, a wheel that wears and is dressed, and the plant's most frequent faults."""

    signals = (
        *COUNTED,
        Signal("wheel_speed", "m/s", high=80),
        Signal("spindle_load", "%", wire="Float", high=150),
        Signal("wheel_diameter", "mm", high=60),
        Signal("coolant_temperature", "°C", wire="Float", high=60),
        Signal("vibration", "mm/s", high=20),
    )
    cycle_s = 9.0
    scrap = 0.015
    fault_every_s = 420.0

    def _prepare(self) -> None:
        self._load = 0.0
        self._wheel_mm = self._rng.uniform(38, 52)
        self._coolant_c = self._rng.uniform(24, 28)

    @property
    def power_kw(self) -> float:
        """The wheel turns all shift; grinding adds the load."""
        return 2.3 + 0.09 * self._load

    def _finish_piece(self) -> None:
        self._wheel_mm -= 0.004
        if self._wheel_mm < 32.0:
            self._wheel_mm = 52.0
            self._hold(State.SETUP, 120.0)
        super()._finish_piece()

    def _physics(self, dt_s: float) -> Reading:
        running = self.state is State.RUNNING
        cuts = running and self._progress_s > 0.25 * self._this_cycle_s
        self._load = max(0.0, toward(self._load, 44.0 + self._noise(5) if cuts else 0.0, dt_s, 0.6))
        self._coolant_c = toward(self._coolant_c, 25 + 0.08 * self._load, dt_s, 900)
        return {
            "wheel_speed": round(45.0 + self._noise(0.05), 2) if running else 0.0,
            "spindle_load": round(self._load, 1),
            "wheel_diameter": round(self._wheel_mm, 3),
            "coolant_temperature": round(self._coolant_c, 1),
            "vibration": round(0.3 + 0.02 * self._load + 0.04 * (52 - self._wheel_mm) / 10 + abs(self._noise(0.08)), 2),
        }


class AssemblyCell(Machine):
    """Puts rings and balls together, presses the cage, and measures clearance and noise of every bearing."""

    signals = (
        *COUNTED,
        Signal("press_force", "kN", high=40),
        Signal("clearance", "µm", high=40),
        Signal("noise", "dB", wire="Float", high=80),
    )
    cycle_s = 3.2
    scrap = 0.006
    order_size = 3000

    def _prepare(self) -> None:
        self._force, self._clearance, self._noise_db = 12.0, 12.0, 34.0

    @property
    def power_kw(self) -> float:
        """Servo press and feeders."""
        return 0.9 + (1.6 if self.state is State.RUNNING else 0.0)

    def _finish_piece(self) -> None:
        self._force = 12.0 + self._noise(0.35)
        self._clearance = 12.5 + self._noise(1.1)
        self._noise_db = 34.0 + self._noise(1.4)
        super()._finish_piece()

    def _physics(self, dt_s: float) -> Reading:  # noqa: ARG002 - what it shows changes with pieces only
        return {
            "press_force": round(self._force, 2),
            "clearance": round(self._clearance, 2),
            "noise": round(self._noise_db, 1),
        }
