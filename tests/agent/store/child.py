"""Appends until it is killed; says on standard output what was acknowledged. `python -m tests.agent.store.child DIR`"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent.store.config import StoreConfig
from agent.store.log import Log
from tests.agent.store.journals import batch


async def main(directory: Path) -> None:
    """Times go on from the number of the last record."""
    async with Log.open(StoreConfig(linger_s=0.0, segment_mb=0.05), directory=directory, plant="p") as log:
        t_ns = int(str(log.status()["durable_seq"])) + 1
        while True:
            await log.append(batch(t_ns, float(t_ns)))
            sys.stdout.write(f"{t_ns}\n")
            sys.stdout.flush()
            t_ns += 1


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
