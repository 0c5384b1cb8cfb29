"""Everything breaks once or more, and every value that the plant emitted is in InfluxDB, or named in a gap record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from agent.demo.held import Hole
from collectors.simulator.ledger import Emission, Emitted, Value
from tests.scenarios.rig import Rig

CATCH_UP_S = 90.0


@dataclass(frozen=True, slots=True)
class Course:
    """When what breaks, in seconds since the start of a run of `seconds`."""

    seconds: float
    kill_agent: tuple[float, ...]
    influx_away: tuple[float, float]  # when, how long
    freeze_machines: tuple[float, float]  # when, how long
    restart_machines: float
    restart_broker: float

    @classmethod
    def lasting(cls, seconds: float) -> Course:
        """Five kills, one of them while InfluxDB is away for a minute; the machines frozen for ten seconds."""
        at = [share * seconds for share in (0.07, 0.25, 0.50, 0.74, 0.86)]
        return cls(
            seconds=seconds,
            kill_agent=tuple(at),
            influx_away=(0.17 * seconds, 60.0),
            freeze_machines=(0.42 * seconds, 10.0),
            restart_machines=0.58 * seconds,
            restart_broker=0.66 * seconds,
        )

    def deeds(self, rig: Rig) -> list[tuple[float, str, Callable[[], Awaitable[None]]]]:
        """When, what for people, and what to do."""
        (away_at_s, away_s), (frozen_at_s, frozen_s) = self.influx_away, self.freeze_machines
        return [
            *((at_s, "the agent is killed", rig.kill_agent) for at_s in self.kill_agent),
            (away_at_s, f"InfluxDB is away for {away_s:.0f} s", partial(rig.influx_away, away_s)),
            (frozen_at_s, f"OPC UA is frozen for {frozen_s:.0f} s", partial(rig.freeze_machines, frozen_s)),
            (self.restart_machines, "the OPC UA server restarts", rig.restart_machines),
            (self.restart_broker, "the broker restarts", rig.restart_broker),
        ]


SHORT = Course(
    seconds=45.0,
    kill_agent=(6.0, 34.0),
    influx_away=(3.0, 10.0),
    freeze_machines=(17.0, 4.0),
    restart_machines=25.0,
    restart_broker=30.0,
)


@dataclass(slots=True)
class Account:
    """What was emitted, and what became of it."""

    emitted: int
    delivered: int
    missing_in_gaps: list[Emission] = field(default_factory=list)
    missing: list[Emission] = field(default_factory=list)  # and no gap record says so
    different: list[Emission] = field(default_factory=list)
    unknown: list[Emission] = field(default_factory=list)
    gaps: int = 0
    dead_lettered: int = 0
    seconds: float = 0.0

    @property
    def is_well(self) -> bool:
        """Every value is there as it was emitted, and nothing else is."""
        return not (self.missing or self.missing_in_gaps or self.different or self.unknown or self.dead_lettered)

    def facts(self) -> Mapping[str, object]:
        """The figures."""
        return {
            "emitted": self.emitted,
            "delivered": self.delivered,
            "missing": len(self.missing) + len(self.missing_in_gaps),
            "missing_unexplained": len(self.missing),
            "different": len(self.different),
            "unknown": len(self.unknown),
            "gaps": self.gaps,
            "dead_lettered": self.dead_lettered,
            "seconds": round(self.seconds, 1),
        }


def account_for(
    emitted: Emitted, delivered: Mapping[Emission, Value], holes: list[Hole], *, dead_lettered: int, seconds: float
) -> Account:
    """Compare the ledgers with InfluxDB, and each missing value with the gap records of its source."""
    verdict = emitted.against(delivered)
    account = Account(
        emitted=len(emitted.certain),
        delivered=len(delivered),
        different=verdict.different,
        unknown=verdict.unknown,
        gaps=len(holes),
        dead_lettered=dead_lettered,
        seconds=seconds,
    )
    for emission in verdict.missing:
        source = "machines" if emission in emitted.opcua else "meters"
        named = any(hole.source == source and hole.from_ns <= emission.t_ns <= hole.to_ns for hole in holes)
        (account.missing_in_gaps if named else account.missing).append(emission)
    return account


async def run_course(course: Course, directory: Path, *, say: Callable[[str], None] = lambda _: None) -> Account:
    """Run the chain through the course, let it catch up, and count by query."""
    started = time.monotonic()
    async with Rig.opened(directory) as rig:
        begun = time.monotonic()

        async def later(at_s: float, what: str, deed: Callable[[], Awaitable[None]]) -> None:
            await asyncio.sleep(max(0.0, begun + at_s - time.monotonic()))
            say(f"{time.monotonic() - begun:6.1f} s  {what}")
            await deed()

        async with asyncio.TaskGroup() as deeds:
            for at_s, what, deed in course.deeds(rig):
                deeds.create_task(later(at_s, what, deed))
        await later(course.seconds, "the plant stops", rig.pause)
        emitted = rig.emitted()
        await rig.settled(lambda: not emitted.against(rig.in_influx()).missing, within_s=CATCH_UP_S)
        delivered = await asyncio.to_thread(rig.in_influx)
        await rig.agent.end()
        held = await asyncio.to_thread(rig.held)
    return account_for(
        emitted, delivered, held.holes, dead_lettered=held.dead_lettered, seconds=time.monotonic() - started
    )
