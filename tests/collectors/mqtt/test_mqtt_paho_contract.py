"""What is used of paho beyond its public interface: when one of these fails, read receive.py against the new paho."""

from __future__ import annotations

import inspect

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from collectors.mqtt.receive import BlockClient


@pytest.fixture
def client() -> paho.Client:
    return paho.Client(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv5)


def test_version() -> None:
    """The private names below were read in paho 2.2."""
    assert paho.__package__ == "paho.mqtt"
    assert __import__("paho.mqtt", fromlist=["__version__"]).__version__.startswith("2.2.")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("_packet_read", ["self"]),
        ("_packet_handle", ["self"]),
        ("_packet_queue", ["self", "command", "packet", "mid", "qos", "info"]),
        ("_sock_recv", ["self", "bufsize"]),
    ],
)
def test_private_methods(name: str, parameters: list[str]) -> None:
    """They are there and take what we give."""
    assert list(inspect.signature(getattr(paho.Client, name)).parameters) == parameters


@pytest.mark.parametrize("name", ["_in_packet", "_last_bytes_received", "_msgtime_mutex", "_ping_t", "_out_packet"])
def test_private_attributes(client: paho.Client, name: str) -> None:
    """They are there."""
    assert hasattr(client, name)


def test_keys_of_the_packet_in_reception(client: paho.Client) -> None:
    """The dictionary that paho's handlers read has the keys that we write."""
    assert client._in_packet.keys() == {
        "command", "have_remaining", "remaining_count", "remaining_mult", "remaining_length", "packet", "to_process",
        "pos",
    }  # fmt: skip


def test_loop_read_asks_our_reader_once() -> None:
    """loop_read calls the overridden reader, and only once while no message is under way."""
    assert BlockClient._packet_read is not paho.Client._packet_read
    assert "self._packet_read()" in inspect.getsource(paho.Client.loop_read)
    assert "len(self._out_messages) + len(self._in_messages)" in inspect.getsource(paho.Client.loop_read)


def test_queued_packets_are_sent_whole_and_set_the_last_message_time() -> None:
    """Acknowledgements go through paho's own queue: it finishes a packet before the next and notes the time."""
    source = inspect.getsource(paho.Client._packet_write)
    assert "packet['packet'][packet['pos']:]" in source
    assert "self._last_msg_out = time_func()" in source


def test_an_unanswered_release_would_hang_with_manual_ack() -> None:
    """Why manual_ack is off: with it paho answers no PUBREL for a message that it has not stored itself."""
    source = inspect.getsource(paho.Client._handle_pubrel)
    assert source.index("if self._manual_ack") < source.index("self._send_pubcomp(mid)")


def test_ping_clock_is_monotonic() -> None:
    """_ping_t and _last_bytes_received are on the clock that we compare them with."""
    assert paho.time_func.__name__ == "monotonic"


def test_a_refused_ack_is_no_error(client: paho.Client) -> None:
    """Queueing without a connection raises nothing; the connection's end has its own way."""
    assert client._packet_queue(0x40, b"\x40\x02\x00\x01", 0, 1) in (
        MQTTErrorCode.MQTT_ERR_SUCCESS,
        MQTTErrorCode.MQTT_ERR_NO_CONN,
    )
