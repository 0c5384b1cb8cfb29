"""What can be set about energy, cost and carbon. Nothing about money or emissions has a default."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from agent.carbon.calendar_config import ShiftConfig, TariffConfig
from agent.carbon.meter_config import MeterConfig, Name, Positive
from agent.carbon.quantities import Medium
from collectors.settings import LocalPath, Settings


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):
        raise ValueError(f"there is no time zone '{name}'; write one like Asia/Shanghai") from None
    return name


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

    by: Literal["pieces", "mass", "running_time"]
    """By counted pieces, by the mass that was made, or by the time in which each machine was running."""

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
