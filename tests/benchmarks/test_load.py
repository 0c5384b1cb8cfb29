"""The sink's check of a load: nothing that is missing, wrong, foreign or there twice goes unseen."""

from benchmarks.load.check import check_for
from benchmarks.load.rule import Rule

SECOND = 1_000_000_000
RULE = Rule(nodes=2, period_ns=SECOND, start_ns=5 * SECOND)


def line(node: int, tick: int, *, value: float | None = None, late_ns: int = 0) -> bytes:
    shown = float(RULE.values(tick)[node]) if value is None else value
    return f"raceway,machine=m0 s{node}={shown!r} {RULE.start_ns + tick * SECOND + late_ns}\n".encode()


def verdict(*lines: bytes) -> dict[str, object]:
    """Of three ticks of two nodes, all in one request that came ten seconds after the first."""
    check = check_for({"load": "opcua", "nodes": 2, "period_ns": SECOND, "start_ns": RULE.start_ns, "ticks": 3})
    check.take(b"".join(lines), RULE.start_ns + 10 * SECOND)
    found = check.verdict(0, 2**63 - 1)
    return {name: found[name] for name in ("missing", "wrong", "double", "foreign")}


EVERY = [line(node, tick) for tick in range(3) for node in range(2)]


def test_everything_once_is_right() -> None:
    """Six points, each as the rule has it."""
    assert verdict(*EVERY) == {"missing": 0, "wrong": 0, "double": 0, "foreign": 0}


def test_what_is_not_there_is_missing() -> None:
    """The last two did not come."""
    assert verdict(*EVERY[:4])["missing"] == 2


def test_another_value_is_wrong_and_the_same_again_is_twice() -> None:
    """One point with the value of another, one point two times."""
    found = verdict(line(0, 0, value=1.5), *EVERY[1:], EVERY[5])

    assert (found["wrong"], found["double"]) == (1, 1)


def test_a_time_that_is_not_in_the_rule_is_foreign() -> None:
    """A millisecond beside the tick."""
    assert verdict(*EVERY, line(0, 1, late_ns=1_000_000))["foreign"] == 1


def test_what_a_record_of_a_gap_names_is_missing_but_not_unnamed() -> None:
    """The second tick of one series is named, the third of both is not."""
    check = check_for({"load": "opcua", "nodes": 2, "period_ns": SECOND, "start_ns": RULE.start_ns, "ticks": 3})
    at = RULE.start_ns + SECOND
    said = f'{{\\"from_ns\\":{at},\\"to_ns\\":{at},\\"reason\\":\\"link_lost\\",\\"series\\":[\\"bench/m0/s1\\"]}}'
    record = f'raceway,plant=bench,machine=machines gap="{said}" {at}\n'.encode()
    check.take(b"".join([*EVERY[:3], record]), at)
    found = check.told(at)

    assert (found["gaps"], found["reasons"], found["unnamed"]) == (1, ["link_lost"], 2)
    assert (found["missing_ticks"], found["flows_ns"]) == ([1, 2], at)
