"""What can be set about one meter: its series, register and transformers, and what it counts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from agent.carbon.quantities import Medium, Reference
from agent.carbon.states import State
from collectors.settings import Settings
from collectors.units import Unit

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Positive = Annotated[Decimal, Field(gt=0)]


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

    state_signal: Name | None = None
    """Electricity of one machine: its signal that says the state, as OPC UA's MachineryItemState does."""

    states: dict[str, State] = Field(default_factory=dict)
    """What each value of state_signal means, like Executing: running; values that are not here are no known state."""

    state_holds_min: float = Field(1440, gt=0, le=10_080)
    """How long a state is believed that is not said again, minutes: short where it is sent in a rhythm."""

    reference: Reference | None = None
    """Gas: 0C or 20C (both at 101.325 kPa), or line; must be said, 7.3 % lie between."""

    temperature_c: Decimal | None = Field(None, gt=-200, lt=500)
    """Gas at line conditions: its temperature, °C."""

    pressure_kpa: Positive | None = None
    """Gas at line conditions: its absolute pressure, kPa."""

    density_kg_per_m3: Positive | None = None
    """For a volume of something that is counted by mass."""

    heat_kj_per_kg: Positive | None = None
    """Steam that is counted as heat: its enthalpy less that of the water it was made from, kJ a kg."""

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
        if (self.state_signal is None) != (not self.states):
            raise ValueError(f"'{self.name}' has one of state_signal and states; write both or none")
        if self.state_signal and (self.medium != "electricity" or high is not None or len(self.supplies) > 1):
            raise ValueError(
                f"'{self.name}': state_signal is for the electricity of one machine, instead of off_below_kw and "
                "running_from_kw"
            )
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
