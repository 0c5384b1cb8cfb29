"""The store against a list, by rules that hypothesis strings together and shortens until the smallest is left."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import StoreMachine
from tests.model.storm import run


def test_the_store_is_a_list_that_survives() -> None:
    """A few dozen examples; `scripts/soak model` runs 20,000."""
    few = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(StoreMachine, settings=few)


@pytest.mark.parametrize("seed", random.Random(4).sample(range(10_000), 6))
def test_every_state_that_a_power_cut_can_leave_holds_what_was_acknowledged(seed: int) -> None:
    """A storm that looks at some such states after every fifth step."""
    run(seed, steps=30, probes=4)
