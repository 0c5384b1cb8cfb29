"""Where what a command makes goes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from agent.commands import FAILED, OK


def put(content: bytes, out: Path | None, *, what: str) -> int:
    """Write to a file, or to standard output where none is named; the exit code. what: its name for people."""
    if out is None:
        sys.stdout.buffer.write(content)
        return OK
    try:
        out.write_bytes(content)
    except OSError as error:
        click.echo(f"{what} cannot be written to {out} ({error.strerror}); name another file", err=True)
        return FAILED
    return OK
