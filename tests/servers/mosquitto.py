"""A real mosquitto for tests, on a free loopback port, ended by its own process id."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers.ports import free_port

PATIENCE_S = 10.0


def command(name: str) -> str:
    """Where a program is; Debian keeps mosquitto where a user's PATH does not look."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found is not None, f"{name} is missing"
    return found


def publish(port: int, *messages: tuple[str, bytes | str], qos: int = 1, retain: bool = False) -> None:
    """Publish to a plain listener on loopback, in order, and wait until the broker has taken each one."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(2000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        sent = [client.publish(topic, payload, qos=qos, retain=retain) for topic, payload in messages]
        for info in sent:
            info.wait_for_publish(PATIENCE_S)
    finally:
        client.disconnect()
        client.loop_stop()


class Mosquitto:
    """One broker. Use it as a context manager; `stop` and `start` keep port and folder."""

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        tls: Tls | None = None,
        websockets: bool = False,
        persistent: bool = False,
        max_inflight: int | None = None,
        lines: Sequence[str] = (),
    ) -> None:
        """users: name -> password.   max_inflight: 0 is unlimited, None is mosquitto's own 20."""
        self.folder = folder
        self.port = free_port()
        self.plain_port = free_port()  # always plain MQTT, for the test's own publisher
        self.process: subprocess.Popen[bytes] | None = None
        inflight = [] if max_inflight is None else [f"max_inflight_messages {max_inflight}"]
        text = [f"listener {self.port} 127.0.0.1", "max_queued_messages 0", *inflight, f"user {_user()}"]
        text += [f"allow_anonymous {'false' if users else 'true'}", *lines]
        if users:
            text.append(f"password_file {_passwords(folder, users)}")
        if tls is not None:
            text += [f"cafile {tls.ca}", f"certfile {tls.certificate}", f"keyfile {tls.key}"]
            text += ["require_certificate true"] if tls.asks_clients else []
        if websockets:
            text.append("protocol websockets")
        if persistent:
            text += ["persistence true", f"persistence_location {folder}/"]
        text.append(f"listener {self.plain_port} 127.0.0.1")
        self.config = folder / "mosquitto.conf"
        self.config.write_text("\n".join(text) + "\n")

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """For a plain listener."""
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it listens."""
        log = (self.folder / "mosquitto.log").open("ab")
        self.process = subprocess.Popen([command("mosquitto"), "-c", self.config], stdout=log, stderr=log)
        log.close()
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "mosquitto.log").read_text())

    def stop(self, *, kill: bool = False) -> None:
        """End it: politely, so that it keeps sessions on disk, or by SIGKILL."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.process = None

    def freeze(self) -> None:
        """SIGSTOP: connections stand, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def publish(self, *messages: tuple[str, bytes | str], qos: int = 1, retain: bool = False) -> None:
        """Publish in order, and wait until the broker has taken each one."""
        publish(self.plain_port, *messages, qos=qos, retain=retain)


class Tls:
    """A small authority with a certificate for the broker (127.0.0.1) and one for a client, made with openssl."""

    def __init__(self, folder: Path, *, asks_clients: bool = False) -> None:
        self.asks_clients = asks_clients
        self.ca, ca_key = folder / "ca.pem", folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", *_CURVE, "-nodes", "-days", "2", "-subj", "/CN=test authority",
                 "-keyout", ca_key, "-out", self.ca)  # fmt: skip
        self.certificate, self.key = self._signed(
            folder, "server", ca_key, "subjectAltName=IP:127.0.0.1,DNS:broker.plant"
        )
        self.client_certificate, self.client_key = self._signed(folder, "client", ca_key, "basicConstraints=CA:FALSE")

    def _signed(self, folder: Path, name: str, ca_key: Path, extension: str) -> tuple[Path, Path]:
        certificate, key, request = (folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = folder / f"{name}.ext"
        extensions.write_text(extension + "\n")
        _openssl("req", "-newkey", "ec", *_CURVE, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
                 "-extfile", extensions, "-out", certificate)  # fmt: skip
        key.chmod(0o644)  # mosquitto gives up root before it reads it
        return certificate, key


_CURVE = ("-pkeyopt", "ec_paramgen_curve:prime256v1")


def _openssl(*arguments: object) -> None:
    subprocess.run([command("openssl"), *map(str, arguments)], check=True, capture_output=True)


def _passwords(folder: Path, users: dict[str, str]) -> Path:
    file = folder / "passwords"
    file.write_text("")
    for name, password in users.items():
        subprocess.run([command("mosquitto_passwd"), "-b", file, name, password], check=True, capture_output=True)
    file.chmod(0o644)
    return file


def _user() -> str:
    """Mosquitto started by root would become `mosquitto`, who may not write into a test's folder."""
    import getpass

    return getpass.getuser()
