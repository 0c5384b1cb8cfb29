"""One read of the log on its way: sent in bites, the points that the server refuses found and set aside.

Synchronous, and free of clocks and sockets: `post` does the request. What is confirmed stays confirmed when `deliver`
raises Retry, so that a bad network does not make a search for bad points begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.influx import names
from agent.influx.answers import Answer, Hint, Verdict, complaints, hint, hold, judge, words
from agent.influx.lines import Lines
from agent.sink import Retry

Post = Callable[[bytes], Answer]
"""Sends one body of lines; raises Retry where there is no answer."""

_LEAST_BYTES = 4_096
_PATIENCE = 5  # plain 500s for one bite before its own content is suspected


class Refused(NamedTuple):
    """Points that the server will never take, as line protocol, and its words."""

    reason: str
    payload: bytes
    points: int


@dataclass(slots=True)
class Learnt:
    """What one server has taught: kept from parcel to parcel."""

    most_lines: int
    ceiling_bytes: int  # the server refused more, or the configuration does
    most_bytes: int = 0  # less than the ceiling after time-outs: a slow line must get something through
    proven: bytes = b""  # a line that was delivered; sending it again changes nothing

    def __post_init__(self) -> None:
        self.most_bytes = self.most_bytes or self.ceiling_bytes

    def delivered(self, line: bytes) -> None:
        """Grow back after time-outs."""
        self.proven = line
        self.most_bytes = min(self.ceiling_bytes, 2 * self.most_bytes)

    def timed_out(self) -> None:
        """Send half as much."""
        self.most_bytes = max(_LEAST_BYTES, self.most_bytes // 2)

    def too_large(self, size: int) -> None:
        """Never send so much again."""
        self.ceiling_bytes = max(1, min(self.ceiling_bytes, size // 2))
        self.most_bytes = min(self.most_bytes, self.ceiling_bytes)


class _Bite(NamedTuple):
    lines: Lines
    numbers: Sequence[int]

    def halves(self) -> tuple[_Bite, _Bite]:
        middle = len(self.numbers) // 2
        return _Bite(self.lines, self.numbers[:middle]), _Bite(self.lines, self.numbers[middle:])


class Parcel:
    """Lines to deliver, and afterwards those that were refused."""

    def __init__(self, *several: Lines) -> None:
        self.refused: list[Refused] = []
        self._left = [_Bite(lines, range(len(lines))) for lines in reversed(several) if len(lines)]  # last goes first
        self._failures = 0  # plain 500s in a row

    def deliver(self, post: Post, learnt: Learnt) -> None:
        """Send until nothing is left. Raises Retry with the rest kept for the next call."""
        while self._left:
            bite = self._left[-1]
            body = bite.lines.body(bite.numbers) if len(bite.numbers) <= learnt.most_lines else b""
            if len(bite.numbers) > 1 and (not body or len(body) > learnt.most_bytes):
                self._replace(*bite.halves())
                continue
            self._send(bite, body, post, learnt)

    def _send(self, bite: _Bite, body: bytes, post: Post, learnt: Learnt) -> None:
        try:
            answer = post(body)
        except Retry as retry:
            if retry.blocked == "timeout":
                learnt.timed_out()
            raise
        match judge(answer):
            case Verdict.DELIVERED:
                learnt.delivered(bite.lines.body(bite.numbers[:1]))
                self._failures = self._failures if self._failures >= _PATIENCE else 0
                self._left.pop()
            case Verdict.POISON:
                self._isolate(bite, answer)
            case Verdict.TOO_LARGE:
                learnt.too_large(len(body))
                self._divide(bite, answer)
            case Verdict.HOLD:
                self._suspect(bite, answer, body, post, learnt)

    def _suspect(self, bite: _Bite, answer: Answer, body: bytes, post: Post, learnt: Learnt) -> None:
        """A plain 500 that stays may be the server's trouble or ours: ours, where another line is taken meanwhile."""
        self._failures += answer.status == 500
        if answer.status != 500 or self._failures < _PATIENCE:
            raise hold(answer)
        canary = learnt.proven or bite.lines.body([bite.numbers[self._failures % len(bite.numbers)]])
        verdict = judge(post(canary))
        if verdict is Verdict.POISON:
            learnt.proven = b""  # beyond retention by now, for one; the next try takes a line of this bite
        if verdict is not Verdict.DELIVERED:
            raise hold(answer)
        if len(bite.numbers) == 1:  # it would be the culprit: is it, now that the server takes others?
            answer = post(body)
            if judge(answer) is Verdict.DELIVERED:
                self._left.pop()
                return
            if answer.status != 500:
                raise hold(answer)
        self._divide(bite, answer)

    def _isolate(self, bite: _Bite, answer: Answer) -> None:
        """Set aside the lines that the answer names; else look where it hints; else in each half."""
        named = _named(bite, answer)
        found = hint(answer)
        if named:
            guilty = [number for number in bite.numbers if number in named]
            rest = [number for number in bite.numbers if number not in named]
            self._replace(_Bite(bite.lines, rest))
            self._set_aside(bite.lines, guilty, [named[number] for number in guilty])
        elif found.dropped >= len(bite.numbers) and _goes_whole(bite, found):
            self._replace()
            for number in bite.numbers:
                self._refuse(bite.lines, number, words(answer))
        elif suspects := _suspects(bite, found):
            self._replace(*suspects)
        else:
            self._divide(bite, answer)

    def _divide(self, bite: _Bite, answer: Answer) -> None:
        """Look in each half; a line in each field; a field that is refused alone is set aside."""
        if len(bite.numbers) > 1:
            self._replace(*bite.halves())
        else:
            self._replace()
            self._set_aside(bite.lines, bite.numbers, [words(answer) or f"refused with status {answer.status}"])

    def _set_aside(self, lines: Lines, numbers: Sequence[int], reasons: Sequence[str]) -> None:
        """Refuse the lines of one field; of the others, the fields will be tried one by one."""
        for number, reason in zip(numbers, reasons, strict=True):
            if lines.fields(number) == 1:
                self._refuse(lines, number, reason)
        several = [number for number in numbers if lines.fields(number) > 1]
        if several:
            apart = lines.apart(several)
            self._left.append(_Bite(apart, range(len(apart))))

    def _refuse(self, lines: Lines, number: int, reason: str) -> None:
        self.refused.append(Refused(reason, lines.body([number]), lines.points([number])))

    def _replace(self, *bites: _Bite) -> None:
        self._left.pop()
        self._left.extend(bite for bite in reversed(bites) if bite.numbers)


def _goes_whole(bite: _Bite, found: Hint) -> bool:
    """Whether a line that is refused has no good field: it has but one, or is older than the server keeps anything."""
    return all(bite.lines.fields(number) == 1 or bite.lines.t_ns(number) < found.before_ns for number in bite.numbers)


def _named(bite: _Bite, answer: Answer) -> dict[int, str]:
    """The bite's lines of which the answer complains, with the reasons."""
    found = dict(complaints(answer))
    if not found:
        return {}
    texts = ((number, bite.lines.body([number])[:-1].decode("utf-8", "replace")) for number in bite.numbers)
    return {number: found[text] for number, text in texts if text in found}


def _suspects(bite: _Bite, found: Hint) -> list[_Bite]:
    """The bite in parts by what the server hinted at, good ones first; empty where that divides nothing."""
    lines, numbers = bite
    if found.field:
        end = names.key(found.field) + b"="
        touched, rest = _parted(numbers, lambda number: _has(lines, number, end))
        apart = lines.apart(touched)
        guilty, good = _parted(range(len(apart)), lambda number: _has(apart, number, end))
        parts = [_Bite(lines, rest), _Bite(apart, good), _Bite(apart, guilty)]
    else:
        guilty, rest = _parted(numbers, lambda number: lines.t_ns(number) < found.before_ns)
        parts = [_Bite(lines, rest), _Bite(lines, guilty)]
    return parts if guilty and any(part.numbers for part in parts[:-1]) else []


def _parted(numbers: Sequence[int], is_wanted: Callable[[int], bool]) -> tuple[list[int], list[int]]:
    wanted: list[int] = []
    others: list[int] = []
    for number in numbers:
        (wanted if is_wanted(number) else others).append(number)
    return wanted, others


def _has(lines: Lines, number: int, end: bytes) -> bool:
    return any(lead.endswith((b" " + end, b"," + end)) for lead in lines.keys(number))
