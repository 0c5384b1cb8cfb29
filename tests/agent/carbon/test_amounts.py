"""Amounts: a dictionary in a few bytes."""

from hypothesis import given
from hypothesis import strategies as st

from agent.carbon.amounts import Amounts
from agent.carbon.energy import Amount

SLOTS = st.integers(-200, 200)
AMOUNTS = st.builds(Amount, *[st.integers(-(2**50), 2**50)] * 2, *[st.integers(0, 2**50)] * 2)


@given(st.lists(st.one_of(st.tuples(SLOTS, AMOUNTS), SLOTS)))
def test_it_is_a_dictionary(steps: list[tuple[int, Amount] | int]) -> None:
    """Slots set, set again and deleted, before 1970 too: the same as a dict's."""
    plain: dict[int, Amount] = {}
    packed = Amounts()
    for step in steps:
        if isinstance(step, tuple):
            plain[step[0]] = packed[step[0]] = step[1]
        else:
            assert plain.pop(step, None) == packed.pop(step, None)

    assert sorted(plain.items()) == list(packed.items())
    assert sorted((slot, one) for slot, one in plain.items() if -70 <= slot < 130) == list(
        packed.within(range(-70, 130))
    )


def test_what_is_read_is_a_copy() -> None:
    """Adding to a sum changes no slot."""
    packed = Amounts()
    packed[7] = Amount(measured=1)
    packed[7].add(Amount(measured=5))

    assert Amount(measured=1) == packed[7]


def test_old_pages_are_forgotten() -> None:
    """Pages of 64 slots, as soon as all of them are too old."""
    packed = Amounts()
    for slot in range(0, 200, 10):
        packed[slot] = Amount(measured=slot)
    packed.forget(130)

    assert [130, 140, 150, 160, 170, 180, 190] == list(packed)
