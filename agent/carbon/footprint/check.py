"""What only the whole of the settings can tell about footprints, each with its place: for `raceway check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from agent.carbon.config import CarbonConfig
from agent.carbon.factors import ProductFactor
from agent.carbon.footprint.config import FactorOf, FootprintConfig
from agent.carbon.rules import read_registers

Loc = tuple[str | int, ...]
Found = tuple[Loc, str]
"""Where, and "what is wrong; what to do"."""

_PER = {"materials": (), "transport": ("t·km", "tkm", "t.km", "t*km"), "waste": ("kg", "t")}


def findings(config: FootprintConfig, carbon: CarbonConfig | None, *, has_ledger: bool) -> Iterator[Found]:
    """Everything that is wrong, below ("footprint",)."""
    at: Loc = ("footprint",)
    if carbon is None:
        yield at, "a footprint needs the accounts of energy; add a block 'carbon:' with its meters"
        return
    if not has_ledger:
        yield at, "a footprint needs what people write down; add a source of kind ledger"
    for number, count in Counter(product.number for product in config.products).items():
        if count > 1:
            yield (*at, "products"), f"the product '{number}' is there twice; keep one"
    media = {meter.medium for meter in carbon.meters}
    for index, medium in enumerate(config.energy):
        if medium not in media:
            yield (*at, "energy", index), f"no meter counts {medium}; add one to carbon.meters, or remove the line"
        elif medium not in {one.medium for one in carbon.factors.product}:
            yield (
                (*at, "energy", index),
                f"{medium} has no factor over its life cycle; add one to carbon.factors.product",
            )
    if config.leaves_out and not config.exempted_percent:
        stages = {one.stage for one in config.leaves_out}
        if stages & {"materials", "energy"}:
            yield (*at, "exempted_percent"), "materials or energy are left out, which is more than 0 %; write how much"
    yield from _factors(config, carbon)


def _factors(config: FootprintConfig, carbon: CarbonConfig) -> Iterator[Found]:
    lists: dict[str, Sequence[FactorOf]] = {
        "materials": config.materials, "transport": config.transport, "waste": config.waste
    }  # fmt: skip
    if not any(lists.values()):
        return
    try:
        register = read_registers(carbon.factors.registers)
    except (OSError, ValueError) as error:
        yield ("carbon", "factors", "registers"), str(error)
        return
    for name, given in lists.items():
        for number, one in enumerate(given):
            at = ("footprint", name, number, "factor")
            try:
                factor = register.find(one.factor, ProductFactor)
            except ValueError as error:
                yield at, str(error)
                continue
            unit = factor.unit.partition("/")[2]
            if _PER[name] and unit not in _PER[name]:
                yield (
                    at,
                    f"{one.factor} is in {factor.unit}, here kg for a {_PER[name][0]} is wanted; choose another factor",
                )
