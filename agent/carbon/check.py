"""What only the whole of the settings can tell, each with its place: for `raceway check`. Imports no numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from agent.carbon.calendar_config import TariffConfig
from agent.carbon.config import AssignmentConfig, CarbonConfig
from agent.carbon.factors import CoalFactor, Factor, OrganisationFactor, ProductFactor, Register
from agent.carbon.meter_config import MeterConfig
from agent.carbon.quantities import scale
from agent.carbon.rules import conditions, read_registers, season
from agent.carbon.tariff import uncovered
from collectors.settings import Declared

Loc = tuple[str | int, ...]
Found = tuple[Loc, str]
"""Where, and "what is wrong; what to do"."""

Tag = tuple[str, Declared]
"""The kind of a source, and a signal that it brings."""


def findings(config: CarbonConfig, declared: Sequence[Tag]) -> Iterator[Found]:
    """Everything that is wrong with the accounting, below ("carbon",)."""
    names = [meter.name for meter in config.meters]
    for number, meter in enumerate(config.meters):
        at: Loc = ("carbon", "meters", number)
        if names.index(meter.name) < number:
            yield (*at, "name"), f"the meter '{meter.name}' is there twice; give each account a name of its own"
        yield from _feeders(at, meter, config.meters)
        if _tells_states(meter) and any(
            _tells_states(one) and _machines(one) == _machines(meter) for one in config.meters[:number]
        ):
            yield (*at, "name"), f"another meter tells the states of '{_machines(meter)[0]}' already; keep one of them"
        yield from _series(at, meter, declared)
        try:
            scale(meter.unit, meter.medium, conditions(meter))
        except ValueError as error:
            yield (*at, "unit"), str(error)
    yield from _rules(config)
    yield from _factors(config)
    if config.tariff is not None:
        yield from _tariff(config.tariff, config.slot_min)


def _machines(meter: MeterConfig) -> tuple[str, ...]:
    return meter.supplies or (meter.machine,)


def _tells_states(meter: MeterConfig) -> bool:
    return meter.running_from_kw is not None or meter.state_signal is not None


def _rules(config: CarbonConfig) -> Iterator[Found]:
    """Whether allocation and targets name what is there."""
    electric = {meter.name: meter for meter in config.meters if meter.medium == "electricity"}
    machines = {name for meter in config.meters for name in _machines(meter)}
    counted = {name for meter in config.meters if meter.medium == "pieces" for name in _machines(meter)}
    weighed = {name for meter in config.meters if meter.medium == "mass" for name in _machines(meter)}
    timed = {name for meter in electric.values() if _tells_states(meter) for name in _machines(meter)}
    weights = {
        "pieces": (counted, "meter of pieces"),
        "mass": (weighed, "meter with medium: mass"),
        "running_time": (timed, "running_from_kw and no state_signal"),
    }
    for number, rule in enumerate(config.allocation):
        at: Loc = ("carbon", "allocation", number)
        if rule.meter not in electric:
            yield (*at, "meter"), f"'{rule.meter}' is no meter of electricity in this list; write the name of one"
        elif [one.meter for one in config.allocation].index(rule.meter) < number:
            yield (*at, "meter"), f"'{rule.meter}' is divided twice; keep one of the rules"
        for name in rule.to:
            known, lacks = weights[rule.by]
            if name not in machines:
                yield (*at, "to"), f"'{name}' is no machine of a meter; write the name of one"
            elif name not in known:
                yield (*at, "to"), f"'{name}' has no {lacks}; it cannot be given a part by {rule.by}"
    lines = {meter.line for meter in electric.values()}
    pieces = {meter.name for meter in config.meters if meter.medium == "pieces"}
    for number, target in enumerate(config.targets):
        at = ("carbon", "targets", number)
        if target.account and target.account not in (*electric, *lines):
            yield (*at, "account"), f"'{target.account}' is no meter and no line of electricity; write the name of one"
        if not pieces or (target.output and target.output not in pieces):
            yield (*at, "output"), "a baseline needs a meter with medium: pieces; name one, or add it"
        if target.to < target.from_:
            yield (*at, "to"), "the baseline ends before it begins; write its last day"


def _feeders(at: Loc, meter: MeterConfig, meters: Sequence[MeterConfig]) -> Iterator[Found]:
    by_name = {one.name: one for one in meters}
    for field, name in (("under", meter.under), ("checks", meter.checks)):
        if name and (name not in by_name or name == meter.name):
            yield (*at, field), f"'{name}' is no other meter of this list; write the name of one, or remove the line"
        elif name and by_name[name].medium != meter.medium:
            yield (*at, field), f"'{name}' counts {by_name[name].medium}, '{meter.name}' counts {meter.medium}"
    if meter.checks in by_name and by_name[meter.checks].checks:
        yield (
            (*at, "checks"),
            f"'{meter.checks}' only checks another meter itself; write the name of a meter that counts",
        )
    seen, here = {meter.name}, meter
    while here.under in by_name:
        here = by_name[here.under]
        if here.name == meter.name:
            yield (*at, "under"), f"'{meter.name}' feeds itself by way of other meters; mend the tree of feeders"
        if here.name in seen:
            return
        seen.add(here.name)


def _series(at: Loc, meter: MeterConfig, declared: Sequence[Tag]) -> Iterator[Found]:
    """Whether a source brings the series, and in the unit that is written here."""
    machine_of_states = _machines(meter)[0]
    signals = [
        (meter.signal, meter.machine, meter.unit, "unit"),
        *([(meter.power_signal, meter.machine, "kW", "power_signal")] * bool(meter.power_signal)),
        *([(meter.state_signal, machine_of_states, None, "state_signal")] * bool(meter.state_signal)),
    ]
    for signal, machine, unit, field in signals:
        same = [(kind, tag) for kind, tag in declared if tag.signal == signal and _may_be(tag.machine, machine)]
        fitting = [(kind, tag) for kind, tag in same if _may_be(tag.area, meter.area) and _may_be(tag.line, meter.line)]
        if not fitting:
            where = (*at, "signal" if field == "unit" else field)
            yield where, f"no source brings '{signal}' of '{machine}'; check both names, and area and line"
        for kind, tag in fitting:
            if kind == "mqtt" and meter.side == "secondary" and field == "unit":
                yield (
                    (*at, "side"),
                    (
                        f"the mapping of '{signal}' multiplies by ct and pt already, '{meter.name}' would do it again; "
                        "write side: primary here"
                    ),
                )
            if unit is not None and tag.unit != unit:
                yield (
                    (*at, field),
                    (
                        f"'{meter.name}' takes {signal} for {unit or 'a value without a unit'}, but its source says "
                        f"{tag.unit or 'no unit'}; write the same unit in both places"
                    ),
                )


def _may_be(declared: str, wanted: str) -> bool:
    return not wanted or declared == wanted or "{" in declared


def _factors(config: CarbonConfig) -> Iterator[Found]:
    given, at = config.factors, ("carbon", "factors")
    try:
        register = read_registers(given.registers)
    except (OSError, ValueError) as error:
        if any((given.organisation, given.product, given.coal, given.instruments, given.residual)):
            yield (*at, "registers"), str(error)
        return
    kinds: Iterable[tuple[str, type[Factor], Sequence[AssignmentConfig]]] = (
        ("organisation", OrganisationFactor, given.organisation),
        ("product", ProductFactor, given.product),
        ("coal", CoalFactor, given.coal),
    )
    for field, kind, assignments in kinds:
        for number, one in enumerate(assignments):
            where = (*at, field, number, "factor")
            found = list(_wrong(register, one.factor, kind))
            yield from ((where, words) for words in found)
            if not found:
                try:
                    register.find(one.factor, kind).per_base(one.medium)
                except ValueError as error:
                    yield where, f"{error}; choose a factor in that unit"
    for number, instrument in enumerate(given.instruments):
        where = (*at, "instruments", number, "factor")
        yield from ((where, words) for words in _wrong(register, instrument.factor, OrganisationFactor))
    if given.residual:
        yield from (((*at, "residual"), words) for words in _wrong(register, given.residual, OrganisationFactor))


def _wrong(register: Register, name: str, kind: type[Factor]) -> Iterator[str]:
    try:
        register.find(name, kind)
    except ValueError as error:
        yield str(error)


def _tariff(tariff: TariffConfig, slot_min: int) -> Iterator[Found]:
    seasons = []
    for number, given in enumerate(tariff.seasons):
        try:
            made = season(given)
        except ValueError as error:
            yield ("carbon", "tariff", "seasons", number), str(error)
            continue
        seasons.append(made)
        edges = [minute for minute in range(1, len(made.bands)) if made.bands[minute] != made.bands[minute - 1]]
        if any(edge % slot_min for edge in edges):
            yield (
                ("carbon", "tariff", "seasons", number),
                f"a band of '{given.name}' begins inside a slot of {slot_min} minutes; set a shorter slot_min",
            )
    if len(seasons) == len(tariff.seasons) and (hole := uncovered(seasons)):
        yield ("carbon", "tariff", "seasons"), f"{hole}; every day of the year belongs to exactly one season"
