"""What a soak found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Finding(NamedTuple):
    """Figures for people and scripts, and whether nothing was wrong."""

    facts: Mapping[str, object]
    is_well: bool


class Missing(Exception):
    """The machine lacks what the run needs: the run says what, and ends with exit code 3."""
