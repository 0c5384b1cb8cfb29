"""The mesh-belt furnace of the plant, pure: heat, atmosphere, quench oil and belt from second to second."""

from __future__ import annotations

import random

from collectors.points import Kind
from collectors.simulator.machines import MODE, ORDER, STATE, Machine, Reading, Signal, State, toward


class Furnace(Machine):
    """A mesh-belt furnace: three electric zones at about 840 °C under methanol, a quench oil bath, a temper oven.

    It is in set-up until every zone is near its set point, and runs through breaks: nobody lets a furnace go cold.
    `good_count` counts kilograms, as the weigher behind the belt does.
    """

    signals = (
        STATE,
        MODE,
        Signal("good_count", "kg", Kind.COUNTER, "UInt32", high=4e9),
        ORDER,
        Signal("setpoint", "°C", wire="Float", high=1000),
        Signal("zone_1_temperature", "°C", high=1000),
        Signal("zone_2_temperature", "°C", high=1000),
        Signal("zone_3_temperature", "°C", high=1000),
        Signal("temper_temperature", "°C", high=400),
        Signal("quench_oil_temperature", "°C", wire="Float", high=150),
        Signal("methanol_flow", "L/h", high=40),
        Signal("carbon_potential", "%", wire="Float", high=1.5),
        Signal("belt_speed", "mm/min", wire="Int16", high=500),
        Signal("heating_power", "kW", wire="Float", high=140),
    )
    cycle_s = 14.0  # one kilogram
    scrap = 0.0
    fault_every_s = 6 * 3600.0
    order_size = 900
    setpoint_c = 840.0

    def __init__(self, name: str, area: str, line: str, title: str, rng: random.Random, *, warm: bool) -> None:
        super().__init__(name, area, line, title, rng)
        start_c = self.setpoint_c if warm else 610.0
        self._zones_c = [start_c - 6.0, start_c, start_c - 2.0]
        self._temper_c = 170.0 if warm else 95.0
        self._oil_c = 78.0 if warm else 52.0
        self._heating_kw = 38.0
        self.state = State.RUNNING if warm else State.SETUP

    @property
    def power_kw(self) -> float:
        """Heating, and the fans, pumps and belt drives beside it."""
        return 4.2 + self._heating_kw

    def _advance(self, dt_s: float, clock_s: float) -> None:  # noqa: ARG002 - no break for a furnace
        if self._hold_s > 0.0:
            self._hold_s -= dt_s
        elif min(self._zones_c) < self.setpoint_c - 15.0:
            self.state = State.SETUP
        else:
            self.state = State.RUNNING
            self._produce(dt_s)

    def _physics(self, dt_s: float) -> Reading:
        error_c = self.setpoint_c - sum(self._zones_c) / 3
        wanted_kw = min(120.0, max(0.0, 38.0 + 2.4 * error_c + self._noise(1.5)))
        self._heating_kw = toward(self._heating_kw, wanted_kw, dt_s, 4.0)
        for zone, offset_c in enumerate((-3.0, 1.0, 0.0)):
            reaches_c = self.setpoint_c + offset_c + (self._heating_kw - 38.0) * 1.6
            self._zones_c[zone] = toward(self._zones_c[zone], reaches_c, dt_s, 420.0)
        self._temper_c = toward(self._temper_c, 170.0, dt_s, 600.0)
        self._oil_c = toward(self._oil_c, 82.0 if self.state is State.RUNNING else 60.0, dt_s, 1200.0)
        hot, running = min(self._zones_c) > 750.0, self.state is State.RUNNING
        shown = {f"zone_{n}_temperature": round(c + self._noise(0.25), 1) for n, c in enumerate(self._zones_c, 1)}
        counted = self._counted()
        return {
            **shown,
            "setpoint": self.setpoint_c,
            "temper_temperature": round(self._temper_c + self._noise(0.15), 1),
            "quench_oil_temperature": round(self._oil_c + self._noise(0.1), 1),
            "methanol_flow": round(14.0 + self._noise(0.15), 2) if hot else 0.0,
            "carbon_potential": round(0.85 + self._noise(0.008), 3) if hot else 0.0,
            "belt_speed": 160.0 if running else 40.0,
            "heating_power": round(self._heating_kw, 1),
            **{name: counted[name] for name in ("state", "mode", "good_count", "order")},
        }

    def step(self, dt_s: float, clock_s: float) -> Reading:
        """Let dt_s pass and show every signal."""
        self._advance(dt_s, clock_s)
        return self._physics(dt_s)
