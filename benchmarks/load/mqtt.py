"""Publishes a load's telegrams at QoS 1, as fast as the broker takes them or at a steady rate.

    python -m benchmarks.load.mqtt --port P --meters M --rounds R --period-us U --start-ms T [--paced]
prints {"published": n} when the broker has taken all; a paced one publishes every telegram at its own time.
"""

from __future__ import annotations

import argparse
import json
import socket
import time

from benchmarks.load.telegrams import Telegrams
from tests.fakes.mqtt_broker import packet, publish

IN_FLIGHT = 2000
PACE_S = 0.01
_PUBACK = 4


class Publisher:
    """One connection that keeps at most a window of messages unacknowledged."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(packet(0x10, b"\0\x04MQTT\x04\x02\0\x00\0\x04fill"))
        self._discard(4)

    def send(self, telegrams: Telegrams, first: int, last: int) -> None:
        """Publish these, and wait until the broker has taken them."""
        for start in range(first, last, IN_FLIGHT):
            stop = min(start + IN_FLIGHT, last)
            found = enumerate(telegrams.payloads(start, stop), start)
            self._socket.sendall(
                b"".join(publish(topic, payload, number=i % 65535 + 1, version=3) for i, (topic, payload) in found)
            )
            self._discard(_PUBACK * (stop - start))

    def _discard(self, count: int) -> None:
        while count > 0:
            got = len(self._socket.recv(count))
            if not got:
                raise ConnectionError("the broker closed the connection")
            count -= got


def paced(publisher: Publisher, telegrams: Telegrams) -> None:
    """Every telegram at the time that stands in it, in groups of some milliseconds."""
    sent = 0
    begin = telegrams.start_ms / 1000
    while sent < len(telegrams):
        time.sleep(PACE_S)
        due = int((time.time() - begin) / (telegrams.period_us / 1e6) * telegrams.meters)
        last = min(max(due, 0), len(telegrams))
        if last > sent:
            publisher.send(telegrams, sent, last)
            sent = last


def main() -> None:
    """Read the options and publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("port", "meters", "rounds", "period-us", "start-ms"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--paced", action="store_true")
    options = parser.parse_args()
    telegrams = Telegrams(options.meters, options.rounds, options.period_us, options.start_ms)
    publisher = Publisher(options.port)
    if options.paced:
        paced(publisher, telegrams)
    else:
        publisher.send(telegrams, 0, len(telegrams))
    print(json.dumps({"published": len(telegrams)}), flush=True)


if __name__ == "__main__":
    main()
