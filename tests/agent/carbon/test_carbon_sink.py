"""CarbonSink: the same log gives the same figures, however it is cut, shuffled, interrupted."""

import json
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.carbon.plan import Plan
from agent.carbon.sink import CarbonSink
from collectors.points import Batch
from tests.agent.carbon.plants import Log, Row, batch, feed, meter, plan, sink
from tests.agent.carbon.readings import SLOT_NS, at

MINUTE_NS = 60 * 10**9
DAY_NS = 96 * SLOT_NS
PAIR = plan(meter("m1", line="l"), meter("m2", line="l"))


def counting(name: str, minutes: int, *, kw: float = 12.0, every_min: int = 5, first: str = "00:00") -> list[Row]:
    """A register that starts at 100 and rises steadily."""
    start = at(first)
    return [(name, start + minute * MINUTE_NS, 100 + kw * minute / 60) for minute in range(0, minutes + 1, every_min)]


def live(rows: Sequence[Row]) -> list[Batch]:
    """Each reading received when it was taken."""
    return [batch([row], received_ns=row[1]) for row in sorted(rows, key=lambda row: row[1])]


def ending(rows: Sequence[Row], after_ns: int = 2 * DAY_NS) -> Batch:
    """Something received so much later that every window is over; it is no meter's."""
    return batch([("other", 0, 0.0)], received_ns=max(row[1] for row in rows) + after_ns, signal="up")


async def results(batches: Sequence[Batch], made: Plan = PAIR) -> dict:
    log = Log()
    await feed(sink(made, log), batches)
    return log.values()


def settled(log: Log, reader: CarbonSink) -> dict:
    """Every result that waits for nothing, as one text each; and every amount of every book."""
    waiting = {
        (account.split(":")[1] if account.startswith("meter") else "", kind.replace("slot", "15min"), start_ns)
        for account, kind, start_ns in reader.waiting()
    }
    told = {
        key: value
        for key, value in log.values().items()
        if key[1].startswith("electricity")
        and not key[1].endswith("_edge")
        and (key[0], key[1].split("_")[1], key[2]) not in waiting
    }
    return told | {(book.meter.name, slot): amount for book in reader.books for slot, amount in book.amounts.items()}


async def test_a_day_of_one_meter() -> None:
    """12 kW all day: 3 kWh a quarter, 12 an hour; the plant's carbon of the day is 288 x 0.6191."""
    rows = counting("m1", 24 * 60)
    found = await results([*live(rows), ending(rows)])
    day, noon = at("00:00"), at("12:00")

    assert [3.0, 12.0, 288.0, 1.0] == [
        found["m1", name, t_ns]
        for name, t_ns in (
            ("electricity_15min", noon), ("electricity_hour", noon), ("electricity_day", day),
            ("electricity_day_known", day),
        )
    ]  # fmt: skip
    assert found["m1", "electricity_day_carbon", day] == pytest.approx(288 * 0.6191)
    assert found["m1", "electricity_day_coal", day] == pytest.approx(288 * 0.1229)
    assert found["m1", "electricity_day_cost", day] == pytest.approx(17 * 12 * 0.5 + 7 * 12 * 1)


async def test_a_statement_names_factors_and_shares() -> None:
    """What a figure came from stands beside it."""
    rows = counting("m1", 24 * 60)
    found = await results([*live(rows), ending(rows)])
    told = json.loads(str(found["m1", "electricity_day_statement", at("00:00")]))

    assert ("meter:m1:electricity:day:2026-03-02", "288.000000", "178.300800") == (
        told["id"], told["quantity"], told["kgco2"],
    )  # fmt: skip
    assert ("1.000000", "0.000000", "0.000000") == (told["measured"], told["estimated"], told["missing"])
    assert "grid_co2_shandong_2023 elec_cfp_cn_2024 coal_eq_elec" == told["factors"]


async def test_nothing_is_told_before_its_time() -> None:
    """A quarter is told five minutes after its end, not earlier."""
    rows = counting("m1", 20)
    early = await results(live(rows)[:4])  # up to 08:15

    assert not [key for key in early if key[1] == "electricity_15min"]
    assert ("m1", "electricity_15min", at("00:00")) in await results(live(rows))


async def test_late_readings_correct_only_what_they_touch() -> None:
    """Two hours arrive a day late: their quarters and hours are told again, no other."""
    rows = counting("m1", 24 * 60)
    late = [row for row in rows if at("08:01") <= row[1] <= at("10:14")]
    log = Log()
    reader = sink(PAIR, log)
    await feed(reader, [*live([row for row in rows if row not in late]), ending(rows)])
    before = len(log.batches)
    await feed(reader, [batch(late, received_ns=at("00:00") + 4 * DAY_NS)])
    told = [point for one in log.batches[before:] for point in one.points()]

    assert {at("08:00") + n * SLOT_NS for n in range(9)} == {
        point.t_ns for point in told if point.series.signal == "electricity_15min" and point.series.machine == "m1"
    }
    assert {at(f"{hour:02d}:00") for hour in (8, 9, 10)} == {
        point.t_ns for point in told if point.series.signal == "electricity_hour"
    }
    assert [] == [point for point in told if point.series.machine == "m2"]


async def test_a_factor_that_is_missing_makes_no_zero() -> None:
    """Without a factor there is an amount, and no carbon; the statement says what lacks."""
    rows = counting("m1", 24 * 60)
    bare = plan(meter("m1"), factors={}, tariff=None)
    found = await results([*live(rows), ending(rows)], bare)
    told = json.loads(str(found["m1", "electricity_day_statement", at("00:00")]))

    assert ("m1", "electricity_day_carbon", at("00:00")) not in found
    assert ("", True) == (told["kgco2"], "an organisation factor for electricity on 2026-03-02" in told["lacks"])


async def test_a_frozen_register_is_unknown() -> None:
    """The register stands still for an hour at 40 kW: that hour is not 0, it is missing."""
    frozen = plan(meter("m1", power_signal="active_power", resolution=0.1))
    rows = [("m1", at("08:00") + n * 5 * MINUTE_NS, 500.0) for n in range(13)]
    power = [batch([("m1", t_ns, 40.0)], received_ns=t_ns, signal="active_power") for _, t_ns, _ in rows]
    found = await results([*live(rows), *power, ending(rows)], frozen)

    assert found["m1", "electricity_hour_known", at("08:00")] == 0.0
    assert [40.0] * 9 == [value for (_, name, t), value in found.items() if name == "electricity_power_edge"][:9]


async def test_power_is_integrated_where_there_is_no_register() -> None:
    """12 kW, said every 10 seconds for an hour: 3 kWh a quarter; the evidence is one reading a minute."""
    made = plan(meter("m1", signal="active_power", unit="kW", reads="level"))
    power = [("m1", at("08:00") + n * 10 * 10**9, 12.0) for n in range(361)]
    batches = [batch([row], received_ns=row[1], signal="active_power") for row in power]
    found = await results([*batches, ending(power)], made)

    assert [3.0] * 4 == [found["m1", "electricity_15min", at("08:00") + n * SLOT_NS] for n in range(4)]
    assert 61 == len([key for key in found if key[1] == "electricity_edge"])


async def test_a_negative_remainder_is_shown_as_it_is() -> None:
    """The meter below claims more than its feeder: the difference is negative, and nobody hides it."""
    made = plan(meter("m1"), meter("m2", under="m1"))
    rows = [*counting("m1", 60, kw=4.0, first="08:00"), *counting("m2", 60, kw=5.0, first="08:00")]
    found = await results([*live(rows), ending(rows)], made)

    assert -1.0 == found["m1", "electricity_unmetered_hour", at("08:00")]


async def test_our_own_results_are_not_read() -> None:
    """What comes back from the log changes nothing."""
    rows = counting("m1", 120)
    log = Log()
    reader = sink(PAIR, log)
    await feed(reader, [*live(rows), ending(rows)])
    before = log.values()
    await feed(reader, list(log.batches))

    assert before == log.values()


def stormy(random: Random) -> list[Row]:
    """Two meters over a day and a half with an outage, a wrap and a burst of jitter."""
    rows = counting("m1", 36 * 60, kw=20.0, every_min=7) + counting("m2", 36 * 60, kw=5.0, every_min=15)
    start = at("00:00") + random.randrange(30) * 3600 * 10**9
    return [row for row in rows if not start < row[1] < start + 5 * 3600 * 10**9]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
async def test_order_and_batches_do_not_matter(seed: int) -> None:
    """Shuffled within two days, cut at random places and partly repeated: the same figures in the end."""
    random = Random(seed)
    rows = stormy(random)
    end_ns = max(row[1] for row in rows)
    shuffled = [*rows, *random.sample(rows, len(rows) // 5)]
    random.shuffle(shuffled)
    cuts = sorted(random.sample(range(1, len(shuffled)), 6))
    pieces = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    mixed = [batch(piece, received_ns=end_ns + n * SLOT_NS) for n, piece in enumerate(pieces)]
    plain, stormy_log = Log(), Log()
    calm, tossed = sink(PAIR, plain), sink(PAIR, stormy_log)

    await feed(calm, [*live(rows), ending(rows)])
    await feed(tossed, [*mixed, ending(rows)])

    expected, found = settled(plain, calm), settled(stormy_log, tossed)
    assert 900 < len(expected.keys() & found.keys())
    common = expected.keys() & found.keys()
    assert {key: expected[key] for key in common} == {key: found[key] for key in common}


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
async def test_a_crash_at_any_point_changes_nothing(seed: int) -> None:
    """Killed before or after the delivery, restored from an earlier state, fed again: the same figures."""
    random = Random(seed)
    rows = stormy(random)
    random.shuffle(rows)
    batches = [batch(rows[n : n + 60], received_ns=at("00:00") + n * 10**9 * 600) for n in range(0, len(rows), 60)]
    batches.append(ending(rows))
    plain = Log()
    calm = sink(PAIR, plain)
    await feed(calm, batches)

    log, state, done = Log(), b"", 0
    while done < len(batches):
        reader = sink(PAIR, log, state)
        alive = random.randrange(1, 5)
        kept = random.randrange(alive + 1)
        for number, one in enumerate(batches[done : done + alive], 1):
            after = await feed(reader, [one], first_seq=done + number)
            if number <= kept:
                state = after
        done += min(kept, len(batches) - done)
    expected, found = settled(plain, calm), settled(log, reader)
    assert 900 < len(expected.keys() & found.keys())
    common = expected.keys() & found.keys()
    assert {key: expected[key] for key in common} == {key: found[key] for key in common}


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
async def test_machines_and_remainder_make_the_feeder(seed: int) -> None:
    """The line is the sum of its meters, the day the sum of its quarters, to the last millionth."""
    rows = stormy(Random(seed))
    log = Log()
    reader = sink(PAIR, log)
    await feed(reader, [*live(rows), ending(rows)])
    micro = [sum(amount.micro for amount in book.amounts.values()) for book in reader.books]
    rises = [
        round((max(values) - min(values)) * 10**6)
        for values in ([value for name, _, value in rows if name == wanted] for wanted in ("m1", "m2"))
    ]

    assert rises == pytest.approx(micro, abs=1)
