"""The model of the plant, pure: a seed and the passing of time give every value of every machine and meter."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from collectors.simulator.furnaces import Furnace
from collectors.simulator.machines import AssemblyCell, Grinder, Machine, Reading, TurningCentre
from collectors.simulator.meters import Air, Energy, Flow, Meter

NAME = "linqing-bearing-1"
MORNING_S = 8 * 3600 + 10 * 60  # the plant clock at the start: ten minutes into the day shift

PRODUCTS = ("深沟球轴承 6204", "深沟球轴承 6205-2RS", "圆锥滚子轴承 30206")


@dataclass(frozen=True, slots=True)
class Readings:
    """One step of the plant: what every machine shows, and what every meter publishes."""

    machines: Mapping[str, Reading]
    meters: Mapping[str, Mapping[str, float]]  # by topic


class Plant:
    """Four areas, twelve machines, seventeen meters.

    seed: the same seed gives the same plant. Call `step` with rising times, in seconds since the start.
    """

    def __init__(self, seed: int) -> None:
        self._t_s = 0.0
        self.machines: tuple[Machine, ...] = tuple(_machines(seed))
        self.meters: tuple[Meter, ...] = tuple(_meters(seed, self.machines))

    def step(self, t_s: float) -> Readings:
        """Let the time pass until t_s and read everything."""
        dt_s = max(0.0, t_s - self._t_s)
        self._t_s = t_s
        clock_s = MORNING_S + t_s
        machines = {machine.name: machine.step(dt_s, clock_s) for machine in self.machines}
        meters = {meter.topic: meter.step(dt_s) for meter in self.meters}
        return Readings(machines, meters)


def _rng(seed: int, name: str) -> random.Random:
    """A stream of its own for each machine, so that adding one does not change the others."""
    return random.Random(f"{seed}/{name}")


def _machines(seed: int) -> list[Machine]:
    turning = [
        TurningCentre(f"cnc-{n}", "turning", "line-1", f"数控车床 {n} 号", _rng(seed, f"cnc-{n}"), PRODUCTS)
        for n in range(1, 5)
    ]
    furnaces = [
        Furnace("furnace-1", "heat-treatment", "belt-1", "网带炉 1 号", _rng(seed, "furnace-1"), warm=True),
        Furnace("furnace-2", "heat-treatment", "belt-2", "网带炉 2 号", _rng(seed, "furnace-2"), warm=False),
    ]
    grinding = [
        Grinder(f"grinder-{n}", "grinding", "line-1", f"内圆磨床 {n} 号", _rng(seed, f"grinder-{n}"), PRODUCTS)
        for n in range(1, 5)
    ]
    assembly = [
        AssemblyCell(f"assembly-{n}", "assembly", "line-1", f"装配机 {n} 号", _rng(seed, f"assembly-{n}"), PRODUCTS)
        for n in range(1, 3)
    ]
    return [*turning, *furnaces, *grinding, *assembly]


def _meters(seed: int, machines: tuple[Machine, ...]) -> list[Meter]:
    """One electricity meter for each machine, and the utilities that all of them share."""
    own: list[Meter] = [Energy(machine, _rng(seed, f"{machine.name}/energy"), (machine,)) for machine in machines]
    compressor = Air(machines, _rng(seed, "compressor-1"))
    incomer = Energy(("utilities", "incomer", "incomer-1"), _rng(seed, "incomer-1"), (*machines, compressor))
    gas = Flow("gas", ("utilities", "gas", "gas-1"), _rng(seed, "gas-1"), base_m3h=2.0, by_running_m3h=1.4)
    water = Flow("water", ("utilities", "water", "water-1"), _rng(seed, "water-1"), base_m3h=0.4, by_running_m3h=0.15)
    for flow in (gas, water):
        flow.follows(machines)
    return [*own, Energy(compressor, _rng(seed, "compressor-1/energy"), (compressor,)), compressor, incomer, gas, water]
