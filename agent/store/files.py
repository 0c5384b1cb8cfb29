"""The operating system as the store sees it: the only place that opens, writes, syncs or unlinks a file."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Locked(Exception):
    """Another process holds the store."""


class Files(Protocol):
    """What the store asks of a filesystem. Handles are small integers; all errors are OSError with an errno.

    Nothing written is durable before `sync`, and no name created, renamed or unlinked before `sync_directory`.
    """

    def make_directory(self, path: Path) -> None:
        """Create it and its parents; nothing happens if it is there."""
        ...

    def list(self, path: Path) -> list[str]:
        """The names in a directory, sorted; empty if there is no such directory."""
        ...

    def open(self, path: Path, *, write: bool = False, create: bool = False) -> int:
        """A handle; `create` insists that the file is new."""
        ...

    def close(self, handle: int) -> None:
        """Give the handle back."""
        ...

    def size(self, handle: int) -> int:
        """Bytes in the file."""
        ...

    def read(self, handle: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes; fewer at the end of the file."""
        ...

    def write(self, handle: int, buffers: Sequence[bytes], offset: int) -> int:
        """One write; returns how many bytes were taken, which may be fewer."""
        ...

    def sync(self, handle: int) -> None:
        """Return when the file's content and size are durable."""
        ...

    def truncate(self, handle: int, size: int) -> None:
        """Cut the file, or extend it with zeros."""
        ...

    def allocate(self, handle: int, size: int) -> None:
        """Reserve space for `size` bytes, so that commits need no metadata."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Atomically give a file another name."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove the name; nothing happens if it is gone."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return when the names in the directory are durable."""
        ...

    def lock(self, path: Path) -> int:
        """A handle that holds the file's lock until closed; raises Locked."""
        ...


class OsFiles:
    """The real ones."""

    def make_directory(self, path: Path) -> None:  # noqa: D102 - the protocol says it
        path.mkdir(parents=True, exist_ok=True)

    def list(self, path: Path) -> list[str]:  # noqa: D102
        try:
            return sorted(child.name for child in path.iterdir())
        except FileNotFoundError:
            return []

    def open(self, path: Path, *, write: bool = False, create: bool = False) -> int:  # noqa: D102
        flags = os.O_RDWR if write or create else os.O_RDONLY
        if create:
            flags |= os.O_CREAT | os.O_EXCL
        return os.open(path, flags | os.O_CLOEXEC, 0o640)

    def close(self, handle: int) -> None:  # noqa: D102
        os.close(handle)

    def size(self, handle: int) -> int:  # noqa: D102
        return os.fstat(handle).st_size

    def read(self, handle: int, length: int, offset: int) -> bytes:  # noqa: D102
        return os.pread(handle, length, offset)

    def write(self, handle: int, buffers: Sequence[bytes], offset: int) -> int:  # noqa: D102
        return os.pwritev(handle, buffers, offset)

    def sync(self, handle: int) -> None:  # noqa: D102
        os.fdatasync(handle)

    def truncate(self, handle: int, size: int) -> None:  # noqa: D102
        os.ftruncate(handle, size)

    def allocate(self, handle: int, size: int) -> None:  # noqa: D102
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # some filesystems cannot; it is only cheaper
                raise

    def rename(self, old: Path, new: Path) -> None:  # noqa: D102
        old.rename(new)

    def unlink(self, path: Path) -> None:  # noqa: D102
        path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:  # noqa: D102
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def lock(self, path: Path) -> int:  # noqa: D102
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a read-only disk can still be read out
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise Locked(
                f"another agent is using {path.parent}. Stop it first, or give this one its own data_dir. "
                f"({path.name}: {error.strerror})"
            ) from error
        return handle


def write_whole(files: Files, handle: int, buffers: Sequence[bytes], offset: int) -> None:
    """One write; a short one means that the disk is full, whatever it says."""
    length = sum(map(len, buffers))
    written = files.write(handle, buffers, offset)
    if written != length:
        raise OSError(errno.ENOSPC, f"only {written} of {length} bytes were written")


def read_file(files: Files, path: Path, length: int = 1 << 30) -> bytes:
    """Its first bytes; none if it cannot be read."""
    try:
        handle = files.open(path)
    except OSError:
        return b""
    try:
        return files.read(handle, min(length, files.size(handle)), 0)
    except OSError:
        return b""
    finally:
        files.close(handle)


def replace_file(files: Files, path: Path, content: bytes) -> None:
    """Old content or new content, durable, whatever happens in between."""
    fresh = path.with_name(path.name + ".new")
    files.unlink(fresh)
    handle = files.open(fresh, create=True)
    try:
        write_whole(files, handle, [content], 0)
        files.sync(handle)
    finally:
        files.close(handle)
    files.rename(fresh, path)
    files.sync_directory(path.parent)
