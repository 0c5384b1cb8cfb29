"""What can be set about the store."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class StoreConfig(BaseModel):
    """How much may be kept on disk, and how long a value may wait for others before it is made durable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quota_mb: int = Field(
        2000,
        ge=1,
        description="Disk space for everything that is kept, in MB. Of it, 80 % are for telemetry, 12 % for alarms, "
        "states and gaps, 5 % for dead letters. About 100,000 points fit in one MB.",
    )
    linger_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="How long values wait for others to share one write to the disk, in seconds. Longer is gentler "
        "to flash memory, shorter is fresher; alarms never wait.",
    )
    rewind_hours: float = Field(
        24.0,
        ge=0,
        description="How long delivered data is kept for sending it again, in hours; 10 % of the quota at most.",
    )
    records_days: float = Field(
        400.0, ge=1, description="How long delivered alarms, states and gaps are kept, in days, if the quota allows it."
    )
    segment_mb: float = Field(
        16.0, gt=0, le=256, description="Size of one file of the log, in MB. There is rarely a reason to change it."
    )

    @property
    def segment_bytes(self) -> int:
        """Size at which a telemetry segment is closed."""
        return int(self.segment_mb * 2**20)

    def quota_bytes(self, share: float) -> int:
        """A share of the quota."""
        return int(self.quota_mb * 1_000_000 * share)
