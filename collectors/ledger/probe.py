"""One look into a ledger's folder for `raceway test`: what each file says, and what is wrong with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from collectors.ledger.config import LedgerConfig
from collectors.ledger.folder import Shape, read_document, shown_as, tables_in, troubles
from collectors.probe import Probe, TagProbe
from collectors.threads import in_daemon_thread


async def probe(config: LedgerConfig, *, plant: str, timeout_s: float) -> Probe:  # noqa: ARG001 - every probe has it
    """Read every file without handing anything over."""
    address = str(config.folder)
    try:
        tags = await asyncio.wait_for(in_daemon_thread(lambda: _files(config)), timeout_s)
    except OSError as error:  # TimeoutError too
        why = error.strerror or "no answer"
        trouble = f"the folder cannot be read ({why}); check its name, its rights, and whether the share is mounted"
        return Probe(config.name, config.kind, address, trouble=trouble)
    return Probe(config.name, config.kind, address, facts={"files": str(len(tags))}, tags=tags)


def _files(config: LedgerConfig) -> tuple[TagProbe, ...]:
    return tuple(_file(config, path, shape) for path, shape in tables_in(config.folder))


def _file(config: LedgerConfig, path: Path, shape: Shape) -> TagProbe:
    shown = shown_as(path, config.folder)
    try:
        document = read_document(path, config.folder, shape)
    except OSError as error:
        return TagProbe(shown, "", trouble=f"the file cannot be read ({error.strerror}); check its rights")
    if document is None:
        return TagProbe(shown, "", trouble="somebody is writing to it; look again in a while")
    told = troubles(document)
    rows = f"{len(document.reading.entries)} rows" if document.reading else None
    return TagProbe(shown, document.origin.owner, rows, type="table", t_ns=shape.mtime_ns, trouble="; ".join(told))
