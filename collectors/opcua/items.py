"""The wanted items and how each of them stands. Pure: time comes in as an argument.

The table is what should be; the server's monitored items are made to agree with it again and again, so that a variable
that is not there yet, or not any more, costs nothing but its own row in the list of troubles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from collectors.opcua.facts import Facts

MOST_S = 300.0  # between two tries for one item
SHOWN = 100  # items with a trouble of their own; the others are counted
MORE = "…"


@dataclass(slots=True)
class Item:
    """One tag in one session."""

    server_id: int = 0  # 0: not created
    due: float = 0.0  # monotonic seconds; when to create it, inf while it runs
    tries: int = 0
    trouble: str = ""  # why it does not run, for people
    misfit: str = ""  # why its value cannot be used, for people
    no_filter: bool = False  # the server refused the deadband
    lasts_s: float = math.inf  # how long the server's queue takes its values while nobody asks for them


@dataclass(slots=True)
class Items:
    """All tags of a source. A tag is its position in the configuration and its client handle."""

    names: tuple[str, ...]
    first_s: float = 5.0
    _items: list[Item] = field(default_factory=list)
    _troubled: set[int] = field(default_factory=set)
    revised: dict[str, tuple[int, str]] = field(default_factory=dict)  # what -> how many tags, an example
    facts: Facts = field(init=False)  # what the server declares of the tags

    def __post_init__(self) -> None:
        self.facts = Facts.none(len(self.names))
        self.new_session()

    def on_server(self, started: str) -> None:
        """What a server declares holds until it is started anew."""
        if self.facts.of != started:
            self.facts = Facts.none(len(self.names))
            self.facts.of = started

    def new_session(self) -> None:
        """Nothing is created on the server, everything is due."""
        no_filter = [one.no_filter for one in self._items] or [False] * len(self.names)
        self._items = [Item(no_filter=one) for one in no_filter]  # a filter is tried once in the life of the source
        self._troubled.clear()
        self.revised.clear()

    def __getitem__(self, tag: int) -> Item:
        return self._items[tag]

    def due(self, now: float) -> list[int]:
        """The tags to create now."""
        return [tag for tag, item in enumerate(self._items) if item.due <= now]

    def running(self) -> list[bool]:
        """For each tag whether the server has accepted it."""
        return [bool(item.server_id) for item in self._items]

    def next_due(self) -> float:
        """When the next one is due, inf if all run."""
        return min((item.due for item in self._items), default=math.inf)

    def created(self, tag: int, server_id: int, *, lasts_s: float = math.inf) -> None:
        """The server accepted it; whether values come is another matter."""
        item = self._items[tag]
        item.server_id, item.due, item.trouble, item.lasts_s = server_id, math.inf, "", lasts_s

    def outlasted(self, out_s: float) -> list[int]:
        """The tags whose queue on the server may have overflowed while nobody asked for its values."""
        return [tag for tag, item in enumerate(self._items) if item.server_id and item.lasts_s < out_s]

    def refused(self, tag: int, trouble: str, now: float) -> None:
        """It does not run; try again after a while that doubles each time."""
        item = self._items[tag]
        item.server_id, item.trouble = 0, trouble
        item.due = now + min(self.first_s * 2.0**item.tries, MOST_S)
        item.tries = min(item.tries + 1, 32)
        self._troubled.add(tag)

    def postponed(self, tag: int) -> None:
        """Ask again at once, without counting it as a try."""
        self._items[tag].due = 0.0

    def gone(self, tags: Iterable[int], trouble: str, now: float) -> list[int]:
        """Created, and then the server said that the node is not there; the server's ids to delete."""
        ids = [self._items[tag].server_id for tag in tags if self._items[tag].server_id]
        for tag in tags:
            if self._items[tag].server_id:
                self.refused(tag, trouble, now)
        return ids

    def delivers(self, tags: Iterable[int]) -> None:
        """Values came that can be used: forget what was wrong before."""
        for tag in tags:
            item = self._items[tag]
            item.misfit = ""
            if item.server_id:
                item.tries, item.trouble = 0, ""
                self._troubled.discard(tag)

    def misfit(self, tag: int, trouble: str) -> None:
        """A value came that cannot be used as it is."""
        self._items[tag].misfit = trouble
        self._troubled.add(tag)

    @property
    def troubled(self) -> frozenset[int]:
        """Tags with which something is or was wrong."""
        return frozenset(self._troubled)

    def troubles(self) -> dict[str, str]:
        """What is wrong, by tag, for people; at most `SHOWN` rows and one that counts the others."""
        wrong = [tag for tag in sorted(self._troubled) if self._items[tag].trouble or self._items[tag].misfit]
        rows = {self.names[tag]: self._items[tag].trouble or self._items[tag].misfit for tag in wrong[:SHOWN]}
        if len(wrong) > SHOWN:
            rows[MORE] = f"and {len(wrong) - SHOWN} more tags"
        for what, (count, example) in self.revised.items():
            rows[what] = f"{count} of {len(self.names)} tags, for example {example}"
        return rows

    def note_revised(self, what: str, example: str) -> None:
        """The server gives a tag less than was asked for."""
        count, first = self.revised.get(what, (0, example))
        self.revised[what] = (count + 1, first)
