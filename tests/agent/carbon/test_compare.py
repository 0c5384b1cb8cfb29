"""Check meters beside the meters that they check."""

from agent.carbon.compare import check_rows
from agent.carbon.evidence import gather
from agent.carbon.plan import Plan
from tests.agent.carbon.plants import Log, Row, feed, meter, plan, sink
from tests.agent.carbon.readings import at
from tests.agent.carbon.test_carbon_sink import DAY_NS, counting, ending, live

PAIR = plan(meter("m1"), meter("m2", checks="m1"))


async def compared(rows: list[Row], made: Plan = PAIR) -> list[dict[str, str]]:
    log = Log()
    await feed(sink(made, log), [*live(rows), ending(rows)])
    kept = gather(made, "p", log.records())
    return list(check_rows(made, kept, at("00:00"), at("00:00") + DAY_NS, kind="day"))


async def test_a_check_meter_that_shows_less() -> None:
    """288 kWh and 285 by the check meter: 3 kWh, 1.053 % of what the check meter shows."""
    (row,) = await compared([*counting("m1", 24 * 60), *counting("m2", 24 * 60, kw=11.875)])

    assert {
        "label": "2026-03-02", "meter": "m1", "checked_by": "m2", "quantity": "288.000000",
        "quantity_of_check": "285.000000", "unit": "kWh", "difference": "3.000000", "percent": "1.053",
        "marks": "", "lacks": "",
    } == row  # fmt: skip


async def test_what_is_not_wholly_measured_is_not_compared() -> None:
    """The check meter was silent from noon on: no difference, and the reason."""
    (row,) = await compared([*counting("m1", 24 * 60), *counting("m2", 12 * 60)])

    assert ("288.000000", "", "", "some of m2") == (
        row["quantity"], row["quantity_of_check"], row["difference"], row["lacks"],
    )  # fmt: skip


async def test_a_gap_inside_the_day_is_compared_and_marked() -> None:
    """The checked meter was silent for four hours: its day is the register's, and marked E."""
    silent = [row for row in counting("m1", 24 * 60) if not at("10:00") < row[1] < at("14:00")]
    (row,) = await compared([*silent, *counting("m2", 24 * 60)])

    assert ("288.000000", "0.000000", "E") == (row["quantity"], row["difference"], row["marks"])


async def test_a_check_meter_is_in_no_sum() -> None:
    """The plant is what the checked meter shows."""
    assert [(0,)] == [account.members for account in PAIR.accounts if account.level == "plant"]


async def test_no_check_meters_no_rows() -> None:
    """A plant without check meters compares nothing."""
    assert [] == await compared(counting("m1", 60), plan(meter("m1")))
