"""What one QoS 1 message costs from the socket to its acknowledgement: a backlog drained through a real broker.

The log is a stand-in that takes a millisecond for each batch, so that the figures are the collector's own: read,
frame, decode, acknowledge. The last rows are stock paho's: its own client with manual acknowledgements, each payload
parsed and nothing kept. Messages are JSON with a timestamp and four numbers, over 50 meters, values that never
repeat. CPU is this process's, the broker's is not in it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import tempfile
import time
from pathlib import Path

import orjson
import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.measure import show
from collectors.mqtt.config import MqttConfig
from collectors.mqtt.source import MqttSource
from collectors.points import Batch, Delivery
from tests.fakes.mqtt_broker import packet, publish
from tests.servers.mosquitto import Mosquitto

MESSAGES = 200_000
PAHO_MESSAGES = 50_000
METERS = 50
IN_FLIGHT = 2000


def main() -> None:
    """Drain once for each window: unlimited, and mosquitto's own 20."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows: dict[str, float] = {}
    for name, inflight in (("window 1000", 0), ("window 20", 20)):
        with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder), max_inflight=inflight) as broker:
            wall_s, cpu_s, batches = asyncio.run(_drain(broker))
        rows[f"messages/s, {name}"] = MESSAGES / wall_s
        rows[f"µs CPU a message, {name}"] = cpu_s / MESSAGES * 1e6
        rows[f"messages a batch, {name}"] = MESSAGES / batches
    with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder), max_inflight=0) as broker:
        wall_s, cpu_s = _drain_with_paho(broker)
    rows["messages/s, stock paho"] = PAHO_MESSAGES / wall_s
    rows["µs CPU a message, stock paho"] = cpu_s / PAHO_MESSAGES * 1e6
    show(rows)


def _drain_with_paho(broker: Mosquitto) -> tuple[float, float]:
    """Wall time and CPU time of paho's own loop for a backlog of PAHO_MESSAGES."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="paho", clean_session=False, manual_ack=True)
    seen = 0

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        nonlocal seen
        orjson.loads(message.payload)
        client.ack(message.mid, message.qos)
        seen += 1

    client.on_message = on_message
    client.connect("127.0.0.1", broker.plain_port)
    client.subscribe("plant/#", 1)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        client.loop(0.1)
    client.disconnect()
    _fill(broker.plain_port, PAHO_MESSAGES)
    wall, cpu = time.perf_counter(), time.process_time()
    client.connect("127.0.0.1", broker.plain_port)
    while seen < PAHO_MESSAGES:
        if client.loop(1.0) != paho.MQTT_ERR_SUCCESS:
            raise SystemExit(f"paho lost its connection after {seen} messages")
    return time.perf_counter() - wall, time.process_time() - cpu


async def _drain(broker: Mosquitto) -> tuple[float, float, int]:
    """Wall time, CPU time and batches from the connect to the last message."""
    source = MqttSource(_config(broker.url), plant="plant", last_time=lambda _series: 0)
    seen = batches = 0
    done = asyncio.Event()

    async def deliver(delivery: Delivery) -> None:
        nonlocal seen, batches
        await asyncio.sleep(0.001)
        if not isinstance(delivery, Batch) or delivery.source != source.name:
            return  # the gap between the two connections
        seen += len(delivery)
        batches += 1
        if seen >= 4 * MESSAGES:
            done.set()

    async def live(until: asyncio.Event) -> None:
        life = asyncio.create_task(source.run(deliver))
        ended = asyncio.create_task(until.wait())
        await asyncio.wait({life, ended}, return_when=asyncio.FIRST_COMPLETED, timeout=120)
        for task in (life, ended):
            task.cancel()
        await asyncio.wait({life, ended})

    subscribed = asyncio.Event()
    asyncio.get_running_loop().call_later(1.0, subscribed.set)
    await live(subscribed)
    await asyncio.to_thread(_fill, broker.plain_port, MESSAGES)
    wall, cpu = time.perf_counter(), time.process_time()
    await live(done)
    if seen < 4 * MESSAGES:
        raise SystemExit(f"only {seen // 4} of {MESSAGES} messages came")
    return time.perf_counter() - wall, time.process_time() - cpu, batches


def _config(url: str) -> MqttConfig:
    signals = [{"signal": f"signal_{i}", "path": f"v{i}"} for i in range(4)]
    mapping = {"topic": "plant/{line}/{machine}/energy", "time": {"path": "ts"}, "signals": signals}
    return MqttConfig.model_validate({"name": "meters", "url": url, "protocol": "5", "mappings": [mapping]})


def _fill(port: int, count: int) -> None:
    """Publish the backlog as fast as the broker takes it, a window of unacknowledged messages at a time."""
    now_ms = int(time.time() * 1000) - count
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(packet(0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\x04fill"))
        _discard(connection, 4)
        for first in range(0, count, IN_FLIGHT):
            last = min(first + IN_FLIGHT, count)
            connection.sendall(b"".join(_message(i, now_ms) for i in range(first, last)))
            _discard(connection, 4 * (last - first))


def _message(i: int, now_ms: int) -> bytes:
    values = f'"v0":{i * 1.01:.3f},"v1":{i},"v2":{i / 7:.2f},"v3":{i * 0.5:.1f}'
    topic = f"plant/line-{i % 3}/meter-{i % METERS}/energy"
    return publish(topic, f'{{"ts":{now_ms + i},{values}}}'.encode(), number=i % 65535 + 1, version=3)


def _discard(connection: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(connection.recv(count))


if __name__ == "__main__":
    main()
