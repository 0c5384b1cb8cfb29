"""The amount of every slot of a meter in a few bytes each, for the agent holds months of them. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, MutableMapping

from agent.carbon.energy import Amount

_PAGE = 64  # slots that lie together
_WIDTH = 4  # numbers of an amount
_ABSENT = -1  # as measured_ns: nothing is known of the slot
_EMPTY = array("q", (0, 0, _ABSENT, 0) * _PAGE)


class Amounts(MutableMapping[int, Amount]):
    """Amounts by slot, 32 bytes each; what is read is a copy."""

    def __init__(self) -> None:
        self._pages: dict[int, array[int]] = {}

    def __getitem__(self, slot: int) -> Amount:
        at = slot % _PAGE * _WIDTH
        measured, estimated, measured_ns, estimated_ns = self._pages[slot // _PAGE][at : at + _WIDTH]
        if measured_ns == _ABSENT:
            raise KeyError(slot)
        return Amount(measured, estimated, measured_ns, estimated_ns)

    def __setitem__(self, slot: int, amount: Amount) -> None:
        page = self._pages.get(slot // _PAGE)
        if page is None:
            page = self._pages[slot // _PAGE] = _EMPTY[:]
        at = slot % _PAGE * _WIDTH
        page[at : at + _WIDTH] = array(
            "q", (amount.measured, amount.estimated, amount.measured_ns, amount.estimated_ns)
        )  # fmt: skip

    def __delitem__(self, slot: int) -> None:
        if slot not in self:
            raise KeyError(slot)
        self._pages[slot // _PAGE][slot % _PAGE * _WIDTH + 2] = _ABSENT

    def __iter__(self) -> Iterator[int]:
        for number in sorted(self._pages):
            page = self._pages[number]
            for place in range(_PAGE):
                if page[place * _WIDTH + 2] != _ABSENT:
                    yield number * _PAGE + place

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def within(self, span: range) -> Iterator[tuple[int, Amount]]:
        """The slots of a span that are known, in order: several times faster than one by one."""
        for number in range(span.start // _PAGE, -(-span.stop // _PAGE)):
            page = self._pages.get(number)
            if page is None:
                continue
            first = number * _PAGE
            for slot in range(max(span.start, first), min(span.stop, first + _PAGE)):
                at = (slot - first) * _WIDTH
                if page[at + 2] != _ABSENT:
                    yield slot, Amount(*page[at : at + _WIDTH])

    def forget(self, before: int) -> None:
        """Drop the slots before one, as far as whole pages lie before it."""
        for number in [number for number in self._pages if (number + 1) * _PAGE <= before]:
            del self._pages[number]
