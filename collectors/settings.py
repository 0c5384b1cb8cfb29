"""What every `config.py` is made of: the base model, paths beside the configuration file, and what a source declares.

Nothing here imports a client library or numpy: `raceway check` must answer at once on a small gateway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

KindName = Literal["gauge", "counter", "state", "event", "text"]
"""The values of `collectors.points.Kind`, without its numpy."""


class Settings(BaseModel):
    """A part of the configuration file: frozen, and no unknown key is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / path.expanduser()


LocalPath = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path in the configuration file, relative to that file (`context={"directory": Path}` at validation)."""


class Declared(NamedTuple):
    """One signal that a source says it will bring, for the checks that span the whole configuration file.

    `where` is the place in the source's own settings, as pydantic writes it: ("tags", 3).
    `line` and `machine` may be templates ("{machine}") where the topic gives them.
    """

    where: tuple[str | int, ...]
    area: str
    line: str
    machine: str
    signal: str
    unit: str
    kind: str
