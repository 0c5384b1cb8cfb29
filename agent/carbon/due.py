"""Which results are to be written: a window whose meters changed, once it is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from agent.carbon.plan import Plan
from agent.carbon.windows import Window, WindowKind

KINDS: tuple[WindowKind, ...] = ("slot", "hour", "shift", "day", "month")
MOST_WINDOWS = 10_000  # remembered


class Result(NamedTuple):
    """One account over one window."""

    account: int
    kind: WindowKind
    start_ns: int


class Due:
    """The results that are not written yet, or not as they are now."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._accounts_of = [
            [number for number, account in enumerate(plan.accounts) if meter in (*account.members, *account.minus)]
            for meter in range(len(plan.meters))
        ]
        self._results: set[Result] = set()
        self._windows: dict[tuple[WindowKind, int], Window | None] = {}

    def mark(self, meter: int, slots: Iterable[int]) -> None:
        """These slots of a meter have other amounts: their windows are due, in all its accounts."""
        for slot in slots:
            for kind in KINDS:
                window = self.window(kind, slot * self._plan.calendar.slot_ns)
                if window is not None:
                    self._results |= {Result(number, kind, window.start_ns) for number in self._accounts_of[meter]}

    def window(self, kind: WindowKind, t_ns: int) -> Window | None:
        """The window of that kind that holds a time."""
        key = kind, t_ns
        if key not in self._windows:
            if len(self._windows) > MOST_WINDOWS:
                self._windows.clear()
            self._windows[key] = self._plan.calendar.window(kind, t_ns)
        return self._windows[key]

    def over(self, before_ns: int) -> list[Result]:
        """Those whose window ended before a time, in order."""
        found = []
        for result in sorted(self._results):
            window = self.window(result.kind, result.start_ns)
            if window is not None and window.end_ns <= before_ns:
                found.append(result)
        return found

    def written(self, results: Iterable[Result]) -> None:
        """These are durable."""
        self._results.difference_update(results)

    def pack(self) -> list[tuple[str, WindowKind, int]]:
        """All of them, by the names of their accounts."""
        accounts = [str(account) for account in self._plan.accounts]
        return [(accounts[result.account], result.kind, result.start_ns) for result in sorted(self._results)]

    def unpack(self, packed: Iterable[tuple[str, WindowKind, int]]) -> None:
        """Take them back; accounts that are not configured any more are left out."""
        accounts = {str(account): number for number, account in enumerate(self._plan.accounts)}
        self._results = {Result(accounts[name], kind, start) for name, kind, start in packed if name in accounts}
