"""The durable log. The design as prose follows below.

This page imports nothing heavy: `raceway check` reads `agent.store.config` and must answer at once. The log itself is
`agent.store.log.Log`.
"""

from agent.store.files import Locked

__all__ = ["Locked"]
