"""From the log to the sinks: all the waiting and retrying there is.

`inorder` hands everything to a sink as it came; that is for those whose results depend on the order. `livefirst` is
for those that only store: after an outage the newest goes first, and what waited follows at its own `pace`.
"""

from agent.drain.inorder import Reader, drain
from agent.drain.livefirst import drain_live_first
from agent.drain.pace import Pace

__all__ = ["Pace", "Reader", "drain", "drain_live_first"]
