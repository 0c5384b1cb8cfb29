"""What can be set about the local history."""

from __future__ import annotations

from pydantic import Field

from collectors.settings import Settings


class HistoryConfig(Settings):
    """How long the local history keeps each level; one signal takes about 0.2 MB a day at the finest one."""

    keep_10s_days: float = Field(2, gt=0)
    """Days to keep the 10-second windows."""

    keep_1min_days: float = Field(14, gt=0)
    """Days to keep the 1-minute windows."""

    keep_15min_days: float = Field(100, gt=0)
    """Days to keep the 15-minute windows."""

    keep_days: float = Field(400, gt=0)
    """Days to keep the 1-hour windows, and texts and events."""

    quota_mb: float = Field(1000, ge=10)
    """Disk the history may take, MB; when it is too large the oldest finest rows go first, whatever their days."""

    commit_s: float = Field(60, gt=0, le=600)
    """Seconds of data that one commit covers: longer is gentler to flash, and curves do not wait for it."""

    def keep_s(self) -> dict[int, int]:
        """Seconds to keep, by the width of the level in seconds, finest first."""
        days = {10: self.keep_10s_days, 60: self.keep_1min_days, 900: self.keep_15min_days, 3600: self.keep_days}
        return {width_s: int(kept * 86400) for width_s, kept in days.items()}
