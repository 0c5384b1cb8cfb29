"""What can be set about a ledger: a folder into which people drop tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from collectors.ledger.forms import FORMS
from collectors.settings import Declared, LocalPath, Settings


class LedgerConfig(Settings):
    """A folder into which people drop tables: materials, gases, waste, waybills, production, orders."""

    kind: Literal["ledger"] = "ledger"
    """The kind of source."""
    name: Annotated[str, Field(min_length=1, max_length=200)]
    """Name of this source, for people and logs."""
    folder: LocalPath
    """The folder, with its subfolders. A file or its folder begins with the name of a form: materials-2026-03.xlsx."""
    scan_s: float = Field(10.0, ge=0.1, le=3600)
    """How often the folder is looked through, s. A file is read when it has not changed between two looks."""
    marks: LocalPath | None = None
    """Where it is noted which files were read; default: the folder ledger in data_dir."""

    def with_marks_in(self, folder: Path) -> LedgerConfig:
        """The same, with the agent's own folder where none is named."""
        return self if self.marks is not None else self.model_copy(update={"marks": folder})

    def declared(self) -> Iterator[Declared]:
        """The events that each form becomes."""
        for form in FORMS:
            yield Declared(("folder",), "", "", self.name, form, "", "event")
