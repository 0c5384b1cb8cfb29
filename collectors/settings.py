"""What every `config.py` is made of: the base model, paths beside the configuration file, and what a source declares.

Nothing here imports a client library or numpy: `raceway check` must answer at once on a small gateway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, model_validator

KindName = Literal["gauge", "counter", "state", "event", "text"]
"""The values of `collectors.points.Kind`, without its numpy."""


class Settings(BaseModel):
    """A part of the configuration file: frozen, and no unknown key is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, given: Any) -> Any:
        """A block or list whose lines are all commented out is as good as not there."""
        if isinstance(given, dict) and None in given.values():
            fields = cls.model_fields
            return {
                name: value
                for name, value in given.items()
                if value is not None or name not in fields or not isinstance(fields[name].default, BaseModel | tuple)
            }
        return given


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    if not path.parts or "\0" in str(path):
        raise ValueError("the name of a file is wanted here; write one, or remove the line")
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
