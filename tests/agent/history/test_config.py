"""What can be set about the local history."""

from agent.history.config import HistoryConfig
from agent.history.schema import WIDTHS_S


def test_every_level_has_its_time_and_coarser_ones_are_kept_longer() -> None:
    """Ten seconds for days, hours for more than a year."""
    keep_s = HistoryConfig(keep_days=500).keep_s()

    assert tuple(keep_s) == WIDTHS_S
    assert sorted(keep_s.values()) == list(keep_s.values())
    assert keep_s[3600] == 500 * 86400
