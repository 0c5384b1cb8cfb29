"""The durable log: whatever was acknowledged is on disk, and stays there until every reader has confirmed it.

Invariants (each has its tests in tests/agent/store/test_invariants.py; the storm in tests/model holds them together):

I1   acknowledged means durable, and then delivered, dead-lettered, or named in a gap record.
I2   nothing is read that was not written.
I3   sequence numbers rise, over both streams, over every restart.
I4   readers see durable data only. What a start finds is synced before it is published.
I5   a durable cursor is never ahead of what its reader has confirmed.
I6   one value per series and timestamp (settle.py says how; values older than the newest pass unchanged); of figures
     that are computed, which `Kind.is_replaced` marks, the last one counts.
I7   a number always means the same bytes: numbers that may have been read are not given again.
I8   damage loses the records that contain it, no others.
I9   a start succeeds, whatever bytes are on disk, and reads a few MB however much lies there.
I10  a file is unlinked only after the cursors that allow it, or the gap that names it, are durable.
I11  the disk holds the quota and one segment at most.
I12  every lost point is counted once, with a reason.
I13  after a failed sync nothing of that file is acknowledged; what waits is written again, to another file.
I14  a reader is its name: changing the configuration orphans nothing.
I15  a commit is one write a record and one sync; nothing else is touched.

Who does what. Collectors hand deliveries to `Log.append`. `Writer` queues them, at most 16 MB, and lets them wait for
each other (`Linger`). Its thread drives the `Journal`, which is plain synchronous code over two protocols, `Files` and
`Clocks`; that is why a simulated disk can run the same code through any crash. `Intake` numbers, settles and encodes;
a `Stream` writes segments through a `SegmentWriter`; after the sync, the entries go to the `Ring` and the durable
number moves. A `Reader` takes entries from the ring, or decodes segments in another thread, record by record.
`Losses` tells what is gone and puts away what is harmed; `Room` deletes and drops; `Refusals` knows what a disk's
refusal means.

Two orders keep the promises:

* A record is written, synced, published, answered. Its number and payload are fixed before the first write, so that
  writing it again, to another file, changes nothing.
* A loss is told, the gap record is synced, and only then the bytes go: dropped segments wait as tombstones, torn tails
  are cut after that, and no cursor becomes durable beyond damage that is not told yet.

Why one thread: it makes group commit a loop, and it leaves one place that sees every errno. Why our own log and not
SQLite: half the flash writes, one batch lost to a flipped bit instead of hundreds, and deletion that needs no space.

This page imports nothing heavy: `raceway check` reads `agent.store.config` and must answer at once. The log itself is
`agent.store.log.Log`, its files are described in docs/log-format.md.
"""

from agent.store.files import Locked

__all__ = ["Locked"]
