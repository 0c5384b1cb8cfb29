"""A simulated filesystem: keeps what a disk may keep, forgets what a power cut may forget, and fails when told to.

Between two syncs every write, truncation and name is a promise, not a fact. A crash keeps any subset of the promises:
writes by sectors of 512 bytes, each kept, lost or garbled on its own; garbled ones may hold what an earlier file had
there, as blocks do that were given to a new file. A failed sync drops its promises for good while
reads still show them, as ext4 does (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
"""

from __future__ import annotations

import copy
import errno
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.store.files import Locked

SECTOR = 512
BLOCK = 4096
STALE_BLOCKS = 16
UNLIMITED = 1 << 40

Promise = tuple[str, int, bytes]  # ("write", offset, bytes) or ("size", size, b"")
NameChange = tuple[str, Path, Path | None]  # create | rename | unlink


@dataclass(slots=True, eq=False)
class Inode:
    """A file: what is durable, what a reader sees, and the promises between them."""

    durable: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)
    promises: list[Promise] = field(default_factory=list)
    was_refused: bool = False  # a sync, of it or of its name: nobody can make it durable for certain any more


class SimFiles:
    """The `Files` of the store, in memory. `fault(method, path)` may return an errno to fail with."""

    def __init__(self, *, capacity: int = UNLIMITED) -> None:
        self.capacity = capacity
        self.fault: Callable[[str, Path], int | None] = lambda method, path: None
        self.watch: Callable[[str, Path], None] = lambda method, path: None  # of every call, before it is made
        self.is_read_only = False
        self.shows_freed_blocks = False  # a write that a power cut tears mostly shows what its blocks held before
        self.writes: list[tuple[Path, int]] = []  # of every write since the list was last cleared
        self._names: dict[Path, Inode] = {}
        self._durable_names: dict[Path, Inode] = {}
        self._name_changes: list[tuple[NameChange, Inode]] = []
        self._handles: dict[int, tuple[Path, Inode]] = {}
        self._next_handle = 3
        self._locks: dict[int, Path] = {}
        self._stale: deque[bytes] = deque(maxlen=STALE_BLOCKS)  # blocks of files that are gone

    # What the store calls.

    def make_directory(self, path: Path) -> None:
        self._may("make_directory", path)

    def list(self, path: Path) -> list[str]:
        return sorted(name.name for name in self._names if name.parent == path)

    def open(self, path: Path, *, write: bool = False, create: bool = False) -> int:
        self._may("open", path, changes=write or create)
        if create:
            if path in self._names:
                raise OSError(errno.EEXIST, "exists")
            self._names[path] = Inode()
            self._name_changes.append((("create", path, None), self._names[path]))
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return self._handle(path, self._names[path])

    def close(self, handle: int) -> None:
        self._handles.pop(handle, None)  # a dead process may still be collected
        self._locks.pop(handle, None)

    def size(self, handle: int) -> int:
        return len(self._handles[handle][1].seen)

    def read(self, handle: int, length: int, offset: int) -> bytes:
        path, inode = self._handles[handle]
        self._may("read", path, changes=False)
        return bytes(inode.seen[offset : offset + length])

    def write(self, handle: int, buffers: Sequence[bytes], offset: int) -> int:
        path, inode = self._handles[handle]
        self._may("write", path)
        content = b"".join(buffers)
        room = self.capacity - (self.used() if self.capacity < UNLIMITED else 0) + max(0, len(inode.seen) - offset)
        if room <= 0:
            raise OSError(errno.ENOSPC, "full")
        content = content[:room]
        self._apply(inode.seen, ("write", offset, content))
        inode.promises.append(("write", offset, content))
        self.writes.append((path, len(content)))
        return len(content)

    def sync(self, handle: int) -> None:
        path, inode = self._handles[handle]
        try:
            self._may("sync", path)
        except OSError:
            inode.promises.clear()
            raise
        for promise in inode.promises:
            self._apply(inode.durable, promise)
        inode.promises.clear()

    def truncate(self, handle: int, size: int) -> None:
        path, inode = self._handles[handle]
        self._may("truncate", path)
        self._forget(inode.seen[size:])
        self._apply(inode.seen, ("size", size, b""))
        inode.promises.append(("size", size, b""))

    def allocate(self, handle: int, size: int) -> None:
        path, inode = self._handles[handle]
        self._may("allocate", path)
        if self.capacity < UNLIMITED and self.used() + size - len(inode.seen) > self.capacity:
            raise OSError(errno.ENOSPC, "full")
        if size > len(inode.seen):
            self._apply(inode.seen, ("size", size, b""))
            inode.promises.append(("size", size, b""))

    def rename(self, old: Path, new: Path) -> None:
        self._may("rename", old)
        inode = self._names.pop(old)
        self._names[new] = inode
        self._name_changes.append((("rename", old, new), inode))

    def unlink(self, path: Path) -> None:
        self._may("unlink", path)
        if path in self._names:
            gone = self._names.pop(path)
            self._name_changes.append((("unlink", path, None), gone))
            self._forget(gone.seen)

    def sync_directory(self, path: Path) -> None:
        self._may("sync_directory", path)
        kept = []
        for change, inode in self._name_changes:
            if change[1].parent == path:
                self._change_name(self._durable_names, change, inode)
            else:
                kept.append((change, inode))
        self._name_changes = kept

    def lock(self, path: Path) -> int:
        if path in self._locks.values():
            raise Locked(f"another agent is using {path.parent}")
        self._names.setdefault(path, Inode())
        self._durable_names.setdefault(path, self._names[path])
        handle = self._handle(path, self._names[path])
        self._locks[handle] = path
        return handle

    # What tests do.

    def used(self) -> int:
        """Bytes in all files."""
        return sum(len(inode.seen) for inode in self._names.values())

    def paths(self) -> list[Path]:
        """All files, as a reader sees them."""
        return sorted(self._names)

    def content(self, path: Path) -> bytes:
        """The bytes of a file, as a reader sees them."""
        return bytes(self._names[path].seen)

    def overwrite(self, path: Path, offset: int, damage: bytes) -> None:
        """Damage a file, durably."""
        for content in (self._names[path].seen, self._names[path].durable):
            if offset < len(content):
                content[offset : offset + len(damage)] = damage[: len(content) - offset]

    def is_durable(self, path: Path, size: int) -> bool:
        """Whether a file's name and so many of its bytes are on the disk, or the disk has refused to say so."""
        inode = self._names.get(path)
        is_named = self._durable_names.get(path) is inode
        return inode is not None and (inode.was_refused or (is_named and inode.seen[:size] == inode.durable[:size]))

    def fingerprint(self) -> int:
        """Equal for disks that hold the same."""
        return hash(tuple((path, bytes(inode.seen)) for path, inode in sorted(self._names.items())))

    def copy(self) -> SimFiles:
        """The same disk, whose future is its own. Handles and locks stay with the old one."""
        disk, twins = SimFiles(), dict[int, Inode]()

        def twin(inode: Inode) -> Inode:
            if id(inode) not in twins:
                twins[id(inode)] = Inode(bytearray(inode.durable), bytearray(inode.seen), list(inode.promises))
            return twins[id(inode)]

        disk._names = {path: twin(inode) for path, inode in self._names.items()}
        disk._durable_names = {path: twin(inode) for path, inode in self._durable_names.items()}
        disk._name_changes = [(change, twin(inode)) for change, inode in self._name_changes]
        disk._stale, disk.shows_freed_blocks = self._stale.copy(), self.shows_freed_blocks
        return disk

    def worst(self) -> SimFiles:
        """What is on the disk if the power goes now and nothing that was promised is kept."""
        disk = SimFiles()
        for path, inode in self._durable_names.items():
            disk._names[path] = Inode(bytearray(inode.durable), bytearray(inode.durable))
        return disk

    def kill(self) -> None:
        """End the process: the disk keeps everything, handles and locks are gone."""
        self._handles.clear()
        self._locks.clear()

    def crash(self, random: random.Random) -> None:
        """Cut the power: of what was promised since the last sync, keep any part."""
        self.kill()
        for change, inode in self._name_changes:
            if random.random() < 0.5:
                self._change_name(self._durable_names, change, inode)
        self._name_changes.clear()
        self._names = dict(self._durable_names)
        for inode in self._names.values():
            for promise in inode.promises:
                self._keep_some(inode.durable, promise, random)
            inode.promises.clear()
            inode.was_refused = False
            inode.seen = bytearray(inode.durable)

    def _keep_some(self, content: bytearray, promise: Promise, random: random.Random) -> None:
        kind, offset, written = promise
        if kind == "size":
            if random.random() < 0.5:
                self._apply(content, promise)
            return
        mood = random.random()  # all sectors, none, or each by itself
        garbled = 0.0 if mood < 0.5 else 0.5 if self.shows_freed_blocks else 0.1
        stale = random.choice(self._stale) if self._stale and (mood > 0.7 or self.shows_freed_blocks) else b""
        for at in range(0, len(written), SECTOR):
            luck, sector = random.random(), written[at : at + SECTOR]
            if mood < 0.25 or (mood > 0.5 and luck < 0.5):
                self._apply(content, ("write", offset + at, sector))
            elif luck < 0.5 + garbled:
                begin = (offset + at) % BLOCK
                garbage = stale[begin : begin + SECTOR] or random.randbytes(len(sector))
                self._apply(content, ("write", offset + at, garbage))

    def _may(self, method: str, path: Path, *, changes: bool = True) -> None:
        self.watch(method, path)
        if changes and self.is_read_only:
            raise OSError(errno.EROFS, "read-only")
        if (number := self.fault(method, path)) is not None:
            for name, inode in self._names.items() if method in ("sync", "sync_directory", "open") else ():
                inode.was_refused |= path in (name, name.parent)
            raise OSError(number, f"{method} fails")

    def _forget(self, content: bytearray) -> None:
        """Blocks become free; what they hold stays in them until they are written again."""
        blocks = (bytes(content[at : at + BLOCK]) for at in range(0, len(content), BLOCK))
        self._stale.extend(block for block in blocks if any(block))

    def _handle(self, path: Path, inode: Inode) -> int:
        self._next_handle += 1
        self._handles[self._next_handle] = (path, inode)
        return self._next_handle

    @staticmethod
    def _apply(content: bytearray, promise: Promise) -> None:
        kind, offset, written = promise
        if kind == "size":
            del content[offset:]
            content.extend(bytes(offset - len(content)))
        else:
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(written)] = written

    @staticmethod
    def _change_name(names: dict[Path, Inode], change: NameChange, inode: Inode) -> None:
        kind, old, new = change
        if kind == "unlink":
            if names.get(old) is inode:
                del names[old]
        elif kind == "create":
            names[old] = inode
        else:
            assert new is not None
            if names.get(old) is inode:
                del names[old]
            names[new] = inode


class SimClocks:
    """Clocks that stand still until they are moved."""

    def __init__(self) -> None:
        self.boot_id = bytes(16)
        self.wall = 1_700_000_000_000_000_000
        self.boot = 0
        self.behind = 0  # ns, of a gateway that has no battery
        self.is_kept = True  # something that knows the time keeps the wall clock

    def wall_ns(self) -> int:
        return self.wall - self.behind

    def of_the_next_boot(self) -> SimClocks:
        """The same after the power was away."""
        found = copy.copy(self)
        found.boot_id = (int.from_bytes(self.boot_id, "big") + 1).to_bytes(16, "big")
        return found

    def boottime_ns(self) -> int:
        return self.boot

    def monotonic(self) -> float:
        return self.boot / 1e9

    def is_set(self) -> bool:
        return self.is_kept

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += int(seconds * 1e9)
        self.boot += int(seconds * 1e9)
