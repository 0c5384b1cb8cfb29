"""Lines to deliver, and a server behind `post`."""

from __future__ import annotations

from collections.abc import Callable

from agent.influx.answers import Answer
from agent.influx.lines import Encoder, Lines
from agent.influx.parcel import Learnt, Parcel, Post
from agent.sink import Retry
from collectors.points import Batch, Point, Series
from tests.fakes.influx_database import Database, Key

T = 1_795_526_024_000_000_000
HOUR = 3_600 * 10**9


def lines_of(count: int, *, signals: int = 1, bad: Callable[[int], bool] = lambda _: False, old_ns: int = 0) -> Lines:
    """`count` points of machines with so many signals each; the bad ones have signal `bad`, or an old timestamp."""
    points = []
    for number in range(count):
        is_bad = bad(number)
        signal = "bad" if is_bad and not old_ns else f"signal_{number % signals}"
        t_ns = T + number // signals - (old_ns if is_bad else 0)
        points.append(Point(Series("plant", "", "", f"machine-{number // signals % 50}", signal), t_ns, float(number)))
    return Encoder("raceway").encode([Batch.of("test", points, received_ns=T)]).lines


def learnt(*, lines: int = 5_000, size: int = 1_000_000) -> Learnt:
    return Learnt(most_lines=lines, ceiling_bytes=size)


class Server:
    """A database behind `post`, counting; `troubles` are answers or failures that come first."""

    def __init__(self, database: Database, *troubles: Answer | Retry | None) -> None:
        self.database = database
        self.troubles = list(troubles)
        self.requests = 0
        self.sizes: list[int] = []

    def post(self, body: bytes) -> Answer:
        self.requests += 1
        self.sizes.append(len(body))
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, Retry):
            raise trouble
        return trouble or Answer(*self.database.write(body))


def conflicting(**settings: object) -> Database:
    """A database where the field `bad` holds strings already."""
    database = Database(**settings)  # type: ignore[arg-type]
    assert 204 == database.write(b'raceway,machine=other,plant=plant bad="text" %d\n' % T)[0]
    database.points.clear()
    return database


def refused_keys(parcel: Parcel) -> set[Key]:
    """What was set aside, as a lenient database understands it."""
    database = Database()
    assert 204 == database.write(b"".join(one.payload for one in parcel.refused))[0]
    return set(database.points)


def delivered_whole(parcel: Parcel, post: Post, known: Learnt) -> int:
    """Deliver, however often it takes; returns the number of holds."""
    for holds in range(1_000):
        try:
            parcel.deliver(post, known)
        except Retry:
            continue
        return holds
    raise AssertionError("never delivered")
