"""What a soak found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Finding(NamedTuple):
    """Figures for people and scripts, and whether nothing was wrong."""

    facts: Mapping[str, object]
    is_well: bool
