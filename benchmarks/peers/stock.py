"""What an engineer would write himself: asyncua's subscription, paho, influxdb-client's batching, nothing else.

python -m benchmarks.peers.stock {opcua | mqtt} URL SINK_URL NODES PERIOD_MS [KEYS]
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.load.rule import MACHINE_SIGNALS
from benchmarks.peers import BATCH, Job


class Stock:
    """Sixty lines, this file as a program."""

    name = "stock"
    buffer = ""

    def version(self) -> str:
        """Of the three libraries."""
        return ", ".join(f"{name} {version(name)}" for name in ("asyncua", "paho-mqtt", "influxdb-client"))

    def environment(self) -> Mapping[str, str]:
        """None: as it comes."""
        return {}

    def command(self, job: Job, folder: Path) -> Sequence[str]:
        """The command line below; it needs no files."""
        del folder
        arguments = [job.source, job.url, job.sink_url, str(job.nodes), f"{job.period_ms:g}"]
        keys = [str(job.certificates)] if job.certificates else []
        return [sys.executable, "-m", "benchmarks.peers.stock", *arguments, *keys]


def writer(sink_url: str) -> Any:
    """influxdb-client's batching writer."""
    from importlib import import_module

    influx = import_module("influxdb_client")

    client: Any = influx.InfluxDBClient(url=sink_url, token="bench", org="bench", enable_gzip=True)
    return client.write_api(write_options=influx.WriteOptions(batch_size=BATCH, flush_interval=1000, jitter_interval=0))


async def opcua(url: str, sink_url: str, nodes: int, period_ms: float, keys: str) -> None:
    """Subscribe to every node; each change becomes a line."""
    from asyncua import Client

    write = writer(sink_url)

    class Handler:
        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            number = int(node.nodeid.Identifier[1:])
            t_ns = round(data.monitored_item.Value.SourceTimestamp.timestamp() * 1e6) * 1000
            machine, signal = divmod(number, MACHINE_SIGNALS)
            write.write("bench", record=f"opcua,machine=m{machine} s{signal}={float(value)!r} {t_ns}")

    client = Client(url)
    if keys:
        client.application_uri = "urn:telegraf:gopcua:client"
        await client.set_security_string(
            f"Basic256Sha256,SignAndEncrypt,{keys}/client.der,{keys}/client.pem,{keys}/server.der"
        )
    async with client:
        subscription: Any = await client.create_subscription(min(period_ms, 250), Handler())
        wanted = [client.get_node(f"ns=2;s=n{i}") for i in range(nodes)]
        for first in range(0, nodes, 1000):
            await subscription.subscribe_data_change(
                wanted[first : first + 1000], sampling_interval=period_ms, queuesize=10
            )
        await asyncio.Event().wait()


def mqtt(url: str, sink_url: str) -> None:
    """Subscribe to the meters; each telegram becomes a line."""
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    write = writer(sink_url)

    def came(_client: Any, _user: Any, message: Any) -> None:
        _, line, machine, _ = message.topic.split("/")
        found = json.loads(message.payload)
        t_ns = found.pop("ts") * 1_000_000
        fields = ",".join(f"{name}={float(value)!r}" for name, value in found.items())
        write.write("bench", record=f"energy,line={line},machine={machine} {fields} {t_ns}")

    client: Any = paho.Client(CallbackAPIVersion.VERSION2, client_id="stock", clean_session=False)
    client.on_message = came
    client.on_connect = lambda *_: client.subscribe("plant/+/+/energy", qos=1)
    host, _, port = url.removeprefix("mqtt://").partition(":")
    client.connect(host, int(port))
    client.loop_forever()


if __name__ == "__main__":
    kind, url, sink_url, nodes, period_ms, *keys = sys.argv[1:]
    if kind == "opcua":
        asyncio.run(opcua(url, sink_url, int(nodes), float(period_ms), "".join(keys)))
    else:
        mqtt(url, sink_url)
