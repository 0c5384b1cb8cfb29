"""Ports for test servers."""

from __future__ import annotations

import contextlib
import random
import socket

_CHANCE = random.SystemRandom()  # hypothesis seeds the common one: two processes would choose alike


def free_port() -> int:
    """A TCP port on loopback that nobody listens on. It lies below those that the kernel gives to outgoing connections,
    so that it is still free a moment later.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", _CHANCE.randint(10_000, 32_000)))
            return int(probe.getsockname()[1])
