"""What can be set about energy, cost and carbon. Nothing about money or emissions has a default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agent.carbon.calendar_config import ShiftConfig, TariffConfig
from agent.carbon.quantities import Medium, Reference
from collectors.settings import LocalPath, Settings
from collectors.units import Unit

if TYPE_CHECKING:
    from agent.carbon.sink import CarbonSink
    from agent.sink import Entry
    from collectors.points import Batch

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Positive = Annotated[Decimal, Field(gt=0)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):
        raise ValueError(f"there is no time zone '{name}'; write one like Asia/Shanghai") from None
    return name


class EpochConfig(Settings):
    """One meter with one set of transformers at this place."""

    serial: Name
    """Number on the meter's plate."""

    ct: Positive | None = None
    """Current transformer, primary over secondary: 40 for 200/5 A; for values of the secondary side."""

    pt: Positive | None = None
    """Voltage transformer, primary over secondary: 1 where there is none."""

    start: Decimal | None = None
    """The register when this epoch began, as somebody read it."""

    end: Decimal | None = None
    """The register when this epoch ended."""

    from_: datetime | None = Field(None, alias="from")
    """When it began, in plant time; not given for the first one."""

    to: datetime | None = None
    """When it ended; not given for the one that lasts."""

    by: str = ""
    """Who changed it and wrote it down."""


class MeterConfig(Settings):
    """One account of energy or material: the series that is read, and what must be known about it."""

    name: Name
    """Name of the account in reports and results."""

    area: str = ""
    """Area of the series; left out, any."""

    line: str = ""
    """Line of the series, and the line whose sum it is part of; left out, any and none."""

    machine: Name
    """Machine or meter of the series."""

    signal: Name
    """Signal of the series."""

    unit: Unit
    """Unit of the series; it must be the one that the source gives."""

    medium: Medium
    """What flows."""

    reads: Literal["counter", "level"] = "counter"
    """counter: a register that only rises; level: a power or flow that is integrated."""

    side: Literal["primary", "secondary"] | None = None
    """Electricity: whether transformers are in the values already (primary) or not (secondary). Must be said."""

    ct: Positive | None = None
    """Current transformer, primary over secondary: 40 for 200/5 A. Must be said for the secondary side."""

    pt: Positive | None = None
    """Voltage transformer, primary over secondary: 1 where there is none. Must be said for the secondary side."""

    most_per_h: Positive
    """The most that can flow in an hour, in the medium's unit (kWh, Nm³, t, kg, MJ); what is faster is no reading."""

    wraps_at: Positive | None = None
    """The value at which the register is 0 again, in its own unit: 1000000 for six digits."""

    noise: float = Field(0.0, ge=0)
    """Falls of the register up to this are jitter, in its own unit."""

    starts_at_zero: bool = False
    """Whether the register is known to begin at 0 after a reset."""

    max_gap_min: float = Field(60, gt=0, le=1440)
    """After a longer silence the total is still the register's, but how it lies in time is an estimate, minutes."""

    epochs: tuple[EpochConfig, ...] = ()
    """Meters and transformers that were changed, in order of time, each with the register's value at the change."""

    under: str = ""
    """The meter that feeds this one; the difference is shown as its unmetered remainder."""

    checks: str = ""
    """The meter that this one only checks; it is not counted."""

    supplies: tuple[str, ...] = ()
    """The machines behind this meter; left out, the machine of the series."""

    power_signal: str = ""
    """A signal with the power in kW, to notice a frozen register."""

    resolution: Positive | None = None
    """The step of the register in its own unit; needed with power_signal."""

    off_below_kw: Annotated[Decimal, Field(ge=0)] | None = None
    """Electricity of one machine: with a mean power below this it is off."""

    running_from_kw: Positive | None = None
    """Electricity of one machine: with a mean power from this on it is running; between the two it stands by."""

    reference: Reference | None = None
    """Gas: 0C or 20C (both at 101.325 kPa), or line; must be said, 7.3 % lie between."""

    temperature_c: Decimal | None = Field(None, gt=-200, lt=500)
    """Gas at line conditions: its temperature, °C."""

    pressure_kpa: Positive | None = None
    """Gas at line conditions: its absolute pressure, kPa."""

    density_kg_per_m3: Positive | None = None
    """For a volume of something that is counted by mass."""

    @model_validator(mode="after")
    def _says_what_must_be_said(self) -> Self:
        electric = self.medium in ("electricity", "reactive")
        if electric and self.side is None:
            raise ValueError(
                f"'{self.name}' does not say whether its values are primary or secondary; "
                "write side: secondary with ct and pt, or side: primary where they are in the values"
            )
        ratios = [(one.ct, one.pt) for one in self.epochs] or [(self.ct, self.pt)]
        if self.side == "secondary" and any(None in pair for pair in ratios):
            raise ValueError(
                f"'{self.name}' gives values of the secondary side; write ct and pt (pt: 1 where there is none), "
                "in every epoch where there are epochs"
            )
        if self.side != "secondary" and any(pair != (None, None) for pair in (*ratios, (self.ct, self.pt))):
            raise ValueError(f"'{self.name}' has ct or pt, but not side: secondary; they would be multiplied twice")
        if (self.off_below_kw is None) != (self.running_from_kw is None):
            raise ValueError(f"'{self.name}' has one of off_below_kw and running_from_kw; write both or none")
        low, high = self.off_below_kw or Decimal(0), self.running_from_kw
        if high is not None and (self.medium != "electricity" or low >= high):
            raise ValueError(f"'{self.name}': states need electricity, and off_below_kw less than running_from_kw")
        if self.power_signal and self.resolution is None:
            raise ValueError(f"'{self.name}' has a power_signal but no resolution; write the step of its register")
        return self

    @model_validator(mode="after")
    def _epochs_follow_each_other(self) -> Self:
        for before, after in zip(self.epochs, self.epochs[1:], strict=False):
            if before.to is None or after.from_ is None or before.end is None or after.start is None:
                raise ValueError(
                    f"'{self.name}': between two epochs must stand when it was changed and what both registers showed; "
                    "write to and end in the earlier, from and start in the later one"
                )
            if before.to.replace(tzinfo=None) > after.from_.replace(tzinfo=None):
                raise ValueError(f"'{self.name}': the epoch of {after.serial} begins before the one before has ended")
        return self


class AssignmentConfig(Settings):
    """Which factor a medium has, and when."""

    medium: Medium
    """What flows."""

    factor: Name
    """Id in the register."""

    from_: date | None = Field(None, alias="from")
    """The first day on which it is used."""

    to: date | None = None
    """The last day on which it is used."""


class InstrumentConfig(Settings):
    """A contract for green power, or certificates."""

    serial: Name
    """Number of the contract or certificate."""

    from_: date = Field(alias="from")
    """The first day that it covers."""

    to: date
    """The last day that it covers."""

    kwh: Positive
    """How much it covers."""

    factor: Name
    """Id of its organisation factor in the register."""


class FactorsConfig(Settings):
    """Factors in use; organisation factors and product factors are different kinds and cannot be mixed."""

    registers: tuple[LocalPath, ...] = Field((Path("factors/register.csv"),), validate_default=True)
    """CSV files with factors and their documents; an id stands in one of them only."""

    organisation: tuple[AssignmentConfig, ...] = ()
    """Direct CO2, for the inventory: kgCO2 by location."""

    product: tuple[AssignmentConfig, ...] = ()
    """Life-cycle footprints, for products."""

    coal: tuple[AssignmentConfig, ...] = ()
    """Coal equivalents, GB/T 2589."""

    instruments: tuple[InstrumentConfig, ...] = ()
    """Contracts for green power; with them the result by market is computed too."""

    residual: str = ""
    """Organisation factor of what no instrument covers."""


class AllocationConfig(Settings):
    """How energy that no machine's own meter measured is divided. Without a rule it is shown as unallocated."""

    meter: Name
    """The meter whose part is divided; of a feeder, what the meters below it do not measure."""

    by: Literal["pieces", "running_time"]
    """By counted pieces, or by the time in which each machine was running."""

    to: tuple[Name, ...] = Field(min_length=1)
    """The machines that it is divided among."""


class TargetConfig(Settings):
    """A baseline of energy over output, and the reduction that is to be reached. ISO 50006."""

    name: Name
    """What it is called in reports."""

    account: str = ""
    """The meter or line whose electricity is judged; left out, the whole plant."""

    output: str = ""
    """The meter of pieces that is the output; left out, all pieces of the plant."""

    window: Literal["day", "month"] = "day"
    """One point of the baseline is a day or a month."""

    from_: date = Field(alias="from")
    """First day of the baseline."""

    to: date
    """Last day of the baseline."""

    reduction_percent: Annotated[Decimal, Field(ge=0, lt=100)]
    """How much less than the baseline for the same output; the cluster's pilot aims at 15 a year."""


class CarbonConfig(Settings):
    """Energy, cost and carbon accounting."""

    zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    """Time zone of the plant: days, months, shifts and tariffs are in it."""

    slot_min: Literal[1, 5, 15] = 15
    """The finest window, minutes. The readings at its edges are kept as evidence: shorter takes more disk."""

    grace_s: float = Field(300, ge=0, le=86400)
    """How long after a window's end its result waits for readings, s; later ones correct it."""

    meters: tuple[MeterConfig, ...] = Field(min_length=1)
    """Accounts of energy and material."""

    shifts: tuple[ShiftConfig, ...] = ()
    """Working shifts."""

    tariff: TariffConfig | None = None
    """What electricity costs."""

    factors: FactorsConfig = FactorsConfig()
    """Emission factors and coal equivalents in use."""

    allocation: tuple[AllocationConfig, ...] = ()
    """Rules for energy that machines share."""

    targets: tuple[TargetConfig, ...] = ()
    """Baselines and reductions."""

    def sink(
        self, plant: str, *, deliver: Callable[[Batch], Awaitable[object]], recall: Callable[[int], Iterable[Entry]]
    ) -> CarbonSink:
        """The reader of the log that keeps the accounts; imports what it needs now, not before."""
        from agent.carbon.sink import make_sink

        return make_sink(self, plant, deliver=deliver, recall=recall)
