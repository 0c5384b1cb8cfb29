"""The settings as one thing to compute with: meters, accounts, calendar, factors, prices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from hashlib import sha256
from typing import Literal

from agent.carbon import rules
from agent.carbon.account import Assignment
from agent.carbon.config import AllocationConfig, CarbonConfig, TargetConfig
from agent.carbon.factors import KINDS, CoalFactor, Factor, OrganisationFactor, ProductFactor, Register
from agent.carbon.meter import Counter
from agent.carbon.meter_config import MeterConfig
from agent.carbon.quantities import MICRO, Medium
from agent.carbon.states import STATES, UNKNOWN, Thresholds
from agent.carbon.tariff import Tariff
from agent.carbon.windows import MINUTE_NS, NS, Calendar
from collectors.points import Series

Role = Literal["register", "power", "state"]
"""What a series is to a meter: what it counts by, what tells a frozen register, what its machine does."""
ROLES: tuple[Role, ...] = ("register", "power", "state")


@dataclass(frozen=True, slots=True)
class MeterPlan:
    """One meter: which series it reads, and how its readings become amounts."""

    name: str
    area: str
    line: str
    machine: str
    signal: str
    unit: str
    medium: Medium
    counter: Counter
    is_level: bool
    power_signal: str = ""
    still_micro: int = 0  # a register that stands still while more than this flows is frozen
    under: str = ""
    checks: str = ""
    supplies: tuple[str, ...] = ()
    thresholds: Thresholds | None = None
    state_signal: str = ""
    states: Mapping[str, float] = field(default_factory=dict)  # what a value means, as its number in STATES
    state_holds_ns: int = 0

    def role(self, series: Series) -> Role | None:
        """What a series is to this meter."""
        if self.area not in ("", series.area) or self.line not in ("", series.line):
            return None
        if series.machine == self.machine and series.signal == self.signal:
            return "register"
        if self.power_signal and (series.machine, series.signal) == (self.machine, self.power_signal):
            return "power"
        if self.state_signal and (series.machine, series.signal) == (self.supplies[0], self.state_signal):
            return "state"
        return None

    def state(self, told: float | str) -> float:
        """The number of a state that the machine told in its own way."""
        return self.states.get(told if isinstance(told, str) else f"{told:g}", UNKNOWN)


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """A sum of meters of one medium: a meter alone, a line, the plant; or what no meter below a feeder measures."""

    level: Literal["meter", "line", "plant", "remainder"]
    name: str  # the meter's or the line's; "" for the plant
    area: str
    line: str
    medium: Medium
    members: tuple[int, ...]  # indexes of meters
    minus: tuple[int, ...] = ()  # of a remainder: what is below the feeder

    def __str__(self) -> str:
        return f"{self.level}:{self.name or 'plant'}:{self.medium}"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A contract for green power."""

    serial: str
    first: date
    last: date
    kwh: Fraction
    factor: OrganisationFactor


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that figures depend on, besides the readings."""

    meters: tuple[MeterPlan, ...]
    accounts: tuple[AccountPlan, ...]
    calendar: Calendar
    grace_ns: int
    organisation: tuple[Assignment[OrganisationFactor], ...]
    product: tuple[Assignment[ProductFactor], ...]
    coal: tuple[Assignment[CoalFactor], ...]
    tariff: Tariff | None
    instruments: tuple[Instrument, ...]
    residual: OrganisationFactor | None
    demand_is_sliding: bool
    allocation: tuple[AllocationConfig, ...]
    targets: tuple[TargetConfig, ...]
    inputs: tuple[Factor, ...]  # what derived factors are products of
    basis: str  # all of this as JSON: what a figure was computed with
    version: str  # the beginning of the basis' hash


def make_plan(config: CarbonConfig, register: Register | None = None) -> Plan:
    """The plan of checked settings. Raises OSError and ValueError where a register changed since the check.

    register: instead of the files that the settings name.
    """
    given = config.factors
    wanted = (given.organisation, given.product, given.coal, given.instruments, given.residual)
    if register is None:
        register = rules.read_registers(given.registers) if any(wanted) else Register({})
    calendar = rules.calendar(config)
    meters = tuple(_meter(meter, calendar) for meter in config.meters)
    organisation = rules.assignments(given.organisation, register, OrganisationFactor)
    product = rules.assignments(given.product, register, ProductFactor)
    coal = rules.assignments(given.coal, register, CoalFactor)
    instruments = tuple(
        Instrument(one.serial, one.from_, one.to, Fraction(one.kwh), register.find(one.factor, OrganisationFactor))
        for one in given.instruments
    )
    residual = register.find(given.residual, OrganisationFactor) if given.residual else None
    used: list[Factor] = [one.factor for one in (*organisation, *product, *coal)]
    used += [*(one.factor for one in instruments), *([residual] if residual else [])]
    inputs = tuple({one.id: one for factor in used for one in register.inputs(factor)}.values())
    return Plan(
        meters=meters,
        accounts=tuple(_accounts(meters)),
        calendar=calendar,
        grace_ns=round(config.grace_s * NS),
        organisation=organisation,
        product=product,
        coal=coal,
        tariff=rules.tariff(config.tariff) if config.tariff else None,
        instruments=instruments,
        residual=residual,
        demand_is_sliding=config.tariff is not None and config.tariff.demand == "sliding",
        allocation=config.allocation,
        targets=config.targets,
        inputs=inputs,
        basis=(basis := _basis(config, used, inputs)),
        version=sha256(basis.encode()).hexdigest()[:12],
    )


def _meter(meter: MeterConfig, calendar: Calendar) -> MeterPlan:
    made = rules.counter(meter, calendar.zone)
    step = Fraction(meter.resolution or 0) * made.epochs[-1].units
    return MeterPlan(
        name=meter.name,
        area=meter.area,
        line=meter.line,
        machine=meter.machine,
        signal=meter.signal,
        unit=meter.unit,
        medium=meter.medium,
        counter=made,
        is_level=meter.reads == "level",
        power_signal=meter.power_signal,
        still_micro=round(2 * step * MICRO),
        under=meter.under,
        checks=meter.checks,
        supplies=meter.supplies or (meter.machine,),
        thresholds=_thresholds(meter),
        state_signal=meter.state_signal or "",
        states={told: float(STATES.index(state)) for told, state in meter.states.items()},
        state_holds_ns=round(meter.state_holds_min * MINUTE_NS),
    )


def _thresholds(meter: MeterConfig) -> Thresholds | None:
    if meter.off_below_kw is None or meter.running_from_kw is None:
        return None
    return Thresholds(Fraction(meter.off_below_kw), Fraction(meter.running_from_kw))


def _accounts(meters: tuple[MeterPlan, ...]) -> list[AccountPlan]:
    found = [
        AccountPlan("meter", meter.name, meter.area, meter.line, meter.medium, (number,))
        for number, meter in enumerate(meters)
    ]
    line_of = {meter.name: meter.line for meter in meters}
    lines: dict[tuple[str, str, Medium], list[int]] = {}
    plant: dict[Medium, list[int]] = {}
    for number, meter in enumerate(meters):
        if meter.checks:
            continue
        if meter.line and line_of.get(meter.under) != meter.line:
            lines.setdefault((meter.area, meter.line, meter.medium), []).append(number)
        if not meter.under:
            plant.setdefault(meter.medium, []).append(number)
    for number, meter in enumerate(meters):
        below = tuple(at for at, one in enumerate(meters) if one.under == meter.name and not one.checks)
        if below:
            remainder = AccountPlan("remainder", meter.name, meter.area, meter.line, meter.medium, (number,), below)
            found.append(remainder)
    found += [AccountPlan("line", key[1], key[0], key[1], key[2], tuple(members)) for key, members in lines.items()]
    found += [AccountPlan("plant", "", "", "", medium, tuple(members)) for medium, members in plant.items()]
    return found


_FACTS = (
    "unit", "region", "data_year", "valid_from", "valid_to", "document", "certainty", "formula", "note",
)  # fmt: skip


def _basis(config: CarbonConfig, used: Iterable[Factor], inputs: Iterable[Factor]) -> str:
    """What figures were computed with, without paths of this computer."""
    settings = config.model_dump(
        mode="json", by_alias=True, exclude={"factors": {"registers"}, "footprint": True}, exclude_defaults=True
    )
    told = {"settings": settings, "factors": _facts(used), "inputs": _facts(inputs)}
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _facts(factors: Iterable[Factor]) -> dict[str, dict[str, str]]:
    """What is known of each factor, as texts."""
    kinds = {kind: name for name, kind in KINDS.items()}
    return {
        factor.id: {
            "kind": kinds[type(factor)],
            "value": "" if factor.value is None else str(factor.value),
            **{name: getattr(factor, name) for name in _FACTS},
        }
        for factor in factors
    }
