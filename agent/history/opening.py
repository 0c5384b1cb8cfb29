"""Opening the history file: one that is damaged, or of another version, is put aside, and a new one begins."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import structlog

from agent.history import schema

logger = structlog.get_logger(__name__)

UNREADABLE = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB
OTHER_VERSION = (
    "It was written by another version of Raceway, in another shape. Its curves are not shown any more; "
    "the durable log and InfluxDB are not touched."
)


def opened(path: Path) -> sqlite3.Connection:
    """Open or make the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        db = _connected(path)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        put_aside(path, why=str(error))
        db = _connected(path)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, schema.VERSION):
            db.close()
            put_aside(path, why=OTHER_VERSION)
            db = _connected(path)
        db.executescript(f"BEGIN; {schema.TABLES} PRAGMA user_version = {schema.VERSION}; COMMIT;")
    except BaseException:
        db.close()  # it holds the file's lock: the next attempt would never get it
        raise
    return db


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the content of the file is to blame, and not the disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in UNREADABLE


def put_aside(path: Path, *, why: str) -> None:
    """Rename a file that cannot be used, with its journals, and say so; an older one put aside is replaced."""
    for suffix in ("", "-wal", "-journal"):
        file = Path(f"{path}{suffix}")
        if file.exists():
            file.replace(Path(f"{path}.unusable{suffix}"))
    logger.error("history.put_aside", path=str(path), kept_as=f"{path}.unusable", reason=why)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.executescript(schema.PRAGMAS)
    except BaseException:
        db.close()
        raise
    return db
