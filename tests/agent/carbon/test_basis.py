"""A changed factor is a new basis; the figures of the old one can be made again, and both are shown."""

import json
from typing import Any

import pytest

from agent.carbon.basis import bases, changes, plan_of
from agent.carbon.evidence import gather
from agent.carbon.factors import OrganisationFactor
from agent.carbon.plan import Plan
from agent.carbon.report import make_report
from tests.agent.carbon.plants import FACTORS, TARIFF, Log, feed, meter, plan, sink
from tests.agent.carbon.readings import at
from tests.agent.carbon.test_carbon_sink import DAY_NS, counting, ending, live

OLD = {**FACTORS, "organisation": [{"medium": "electricity", "factor": "grid_co2_shandong_2022"}]}
EVERYTHING: dict[str, Any] = {
    "shifts": [{"name": "早班", "from": "08:00", "to": "20:00"}],
    "factors": {**FACTORS, "residual": "grid_co2_cn_2023_excl_market_nonfossil", "instruments": [
        {"serial": "G1", "from": "2026-01-01", "to": "2026-12-31", "kwh": 1000, "factor": "grid_co2_cn_2023"}]},
    "allocation": [{"meter": "m1", "by": "running_time", "to": ["m1"]}],
}  # fmt: skip


async def accounted(*plans: Plan) -> Log:
    """A day of one meter for each plan, the agent started anew with it."""
    log, state = Log(), b""
    for number, made in enumerate(plans):
        rows = [(name, t_ns + number * DAY_NS, value + number * 288) for name, t_ns, value in counting("m1", 24 * 60)]
        state = await feed(sink(made, log, state), [*live(rows), ending(rows)], first_seq=1 + number * 1000)
    return log


def told(log: Log) -> list[dict[str, str]]:
    """Every statement of a day in the log."""
    points = (point for one in log.batches for point in one.points())
    return [json.loads(str(point.value)) for point in points if point.series.signal.endswith("_day_statement")]


async def test_the_old_basis_gives_the_old_figures() -> None:
    """2 March with the factor of 2022: 184.608 kg; anew with that of 2023: 178.3008; the log keeps what was told."""
    before, after = plan(meter("m1"), factors=OLD), plan(meter("m1"))
    log = await accounted(before, after)
    old, new = bases("p", log.records())
    span = at("00:00"), at("00:00") + DAY_NS
    figures = [
        make_report(made, gather(made, "p", log.records()), *span, kind="day").statements[0].row()
        for made in (plan_of(old), plan_of(new))
    ]

    assert ["184.608000", "178.300800"] == [row["kgco2"] for row in figures]
    assert {**figures[0], "basis": old.version} in told(log)
    assert [before.version, after.version] == [old.version, new.version]


async def test_a_changed_factor_is_said() -> None:
    """What is another one, and what its value was."""
    log = await accounted(plan(meter("m1"), factors=OLD), plan(meter("m1")))
    old, new = bases("p", log.records())

    assert ["the first one"] == list(changes(None, old))
    assert 'settings.factors.organisation.0.factor: "grid_co2_shandong_2022" -> "grid_co2_shandong_2023"' in list(
        changes(old, new)
    )


@pytest.mark.parametrize(
    "given", [{}, {"tariff": None, "factors": {}}, EVERYTHING], ids=["usual", "bare", "everything"]
)
async def test_a_plan_comes_back_whole(given: dict[str, Any]) -> None:
    """Meters, calendar, prices, instruments, factors with their documents: the plan of a basis is the plan."""
    made = plan(meter("m1", off_below_kw=1, running_from_kw="2.5", epochs=[
        {"serial": "A1", "end": "388.25", "to": "2026-03-03 00:00"},
        {"serial": "B7", "start": 0, "from": "2026-03-03 00:00", "by": "Li Wei"},
    ]), **{"tariff": TARIFF, **given})  # fmt: skip
    (basis,) = bases("p", (await accounted(made)).records())

    assert made == plan_of(basis)


async def test_kinds_come_back_as_kinds() -> None:
    """An organisation factor of an old basis is one, and no other type."""
    (basis,) = bases("p", (await accounted(plan(meter("m1"), factors=OLD))).records())

    assert [OrganisationFactor] == [type(one.factor) for one in plan_of(basis).organisation]
