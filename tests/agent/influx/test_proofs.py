"""The proofs of delivery at a small count; `python -m tests.soak network` and `poison` run them in full."""

from __future__ import annotations

import pytest

from tests.soak.network import schedule
from tests.soak.poison import Trouble, search


def test_random_networks_lose_nothing() -> None:
    """Throttled, broken, portals, revoked tokens, kills: the database holds exactly what it should."""
    results = [schedule(seed) for seed in range(16)]

    assert [] == [result for result in results if not result.is_well]
    assert sum(result.lost for result in results) > 0  # the small disks are too small, and the gaps say so


@pytest.mark.parametrize("poison", [1, 50, 500])
@pytest.mark.parametrize("trouble", ["conflict", "retention", "both"])
def test_poison_is_found_exactly(poison: int, trouble: Trouble) -> None:
    """The dead letters are the refused points, no fewer and no more, within the bound of requests."""
    result = search(poison, trouble=trouble, style="2.7", seed=poison, points=10_000)

    assert result.is_well, result
