"""One try of an InfluxDB for `raceway test`: reachable, token good, bucket there, by a write that holds no point."""

from __future__ import annotations

from isal import igzip

from agent.influx.answers import Verdict, hold, judge
from agent.influx.client import Client
from agent.influx.config import InfluxConfig
from agent.sink import Retry
from collectors.probe import Probe
from collectors.threads import in_daemon_thread

# A comment line is a body without points: InfluxDB 2.7 checks token, organisation and bucket and answers 204 (seen).
_NO_POINTS = igzip.compress(b"# raceway test\n", 1)


async def probe(config: InfluxConfig, *, timeout_s: float) -> Probe:
    """What the server says to a harmless write; never raises for a server that is missing or refuses."""
    client = Client(config.model_copy(update={"timeout_s": min(timeout_s, config.timeout_s)}))
    try:
        answer = await in_daemon_thread(lambda: client.post(_NO_POINTS))
    except Retry as retry:
        return _probe(config, retry.reason)
    finally:
        client.close()
    trouble = "" if judge(answer) is Verdict.DELIVERED else hold(answer).reason
    version = answer.headers.get("x-influxdb-version", "")
    return _probe(config, trouble, {"product": f"InfluxDB {version}".strip(), "bucket": config.bucket})


def _probe(config: InfluxConfig, trouble: str, facts: dict[str, str] | None = None) -> Probe:
    return Probe(config.name, config.kind, config.url, trouble, facts)
