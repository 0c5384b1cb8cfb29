"""What the configuration accepts, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from collectors.opcua.address import Address
from tests.collectors.opcua.rig import configured, tag

URL = "opc.tcp://10.0.0.1:4840"


@pytest.mark.parametrize(
    ("text", "node"),
    [
        pytest.param("nsu=http://maker.example/;s=Spindle.Speed", "ns=2;s=Spindle.Speed", id="namespace URI"),
        pytest.param("nsu=http://a%3Bb/;i=5", "ns=3;i=5", id="escaped semicolon in the URI"),
        pytest.param("ns=4;i=1004", "ns=4;i=1004", id="index"),
        pytest.param("i=2258", "ns=0;i=2258", id="the standard's own"),
        pytest.param("ns=2;s=Analog.Power/0:EURange;x=1", "ns=2;s=Analog.Power/0:EURange;x=1", id="slash and colon"),
        pytest.param("ns=1;b=AQID", "ns=1;b=AQID", id="bytes"),
        pytest.param(
            "ns=1;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "ns=1;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", id="GUID"
        ),
    ],
)
def test_a_node_id_finds_its_namespace(text: str, node: str) -> None:
    """URIs are looked up in the session's table, indexes are taken as they are."""
    uris = ["http://opcfoundation.org/UA/", "urn:server", "http://maker.example/", "http://a;b/"]

    assert Address.parse(text).in_namespaces(uris) == node


@pytest.mark.parametrize("text", ["", "Spindle", "ns=2", "ns=70000;i=1", "i=9999999999", "ns=1;g=no", "b=*", "s="])
def test_what_is_no_node_id_is_refused_with_an_example(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match="write it like nsu="):
        Address.parse(text)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        pytest.param({"user": "u", "password_file": "p"}, "would travel unencrypted", id="plain password"),
        pytest.param({"password_file": "p"}, "without user:", id="password without user"),
        pytest.param(
            {"security": {"policy": "Basic256Sha256", "certificate": "own.der"}}, "belong together", id="no key"
        ),
        pytest.param({"user_certificate": "me.der"}, "belong together", id="login without its key"),
        pytest.param(
            {"user_certificate": "me.der", "user_private_key": "me.pem"}, "needs security", id="unprotected login"
        ),
        pytest.param({"security": {"mode": "Sign"}}, "do not go together", id="mode without policy"),
        pytest.param({"security": {"server_fingerprint": "ab"}}, "pattern", id="short fingerprint"),
        pytest.param({"url": "http://x"}, "is not an OPC UA address", id="another scheme"),
        pytest.param({"url": "opc.tcp://h:99999"}, "a port is 1 to 65535", id="a port that cannot be"),
        pytest.param({"url": "opc.tcp://u:p@h:4840"}, "does not belong into the address", id="account in the URL"),
        pytest.param({"tags": [tag("a", kind="text", scale=2)]}, "no scale, offset or deadband", id="scaled text"),
        pytest.param({"tags": [tag("a", scale=0)]}, "scale: 0", id="scale nought"),
        pytest.param({"tags": [tag("a", sampling=5)]}, "Extra inputs", id="unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], text: str) -> None:
    """Each with words that say what to do."""
    with pytest.raises(ValidationError, match=text):
        configured(**{"url": URL, "tags": [tag("a")], **settings})


def test_the_usual_port_is_filled_in() -> None:
    """An address without a port means 4840."""
    assert configured("opc.tcp://10.0.0.1", [tag("a")]).url == URL


def test_queues_hold_what_is_sampled_between_publishes_and_during_an_outage() -> None:
    """(500 ms + 10 s) at 100 ms is 105 values, and one more; a configured size is kept."""
    config = configured(URL, [tag("a", sampling_ms=100), tag("b", queue_size=7), tag("c")], publishing_ms=500)

    assert [config.queue_size(one) for one in config.tags] == [106, 7, 22]


def test_an_array_declares_each_of_its_signals() -> None:
    """The checks over the whole file see what will come."""
    config = configured(URL, [tag("axis", elements=2), tag("b", line="L2")], line="L1")
    declared = [(one.where, one.line, one.machine, one.signal) for one in config.declared()]

    assert declared == [
        (("tags", 0), "L1", "lathe", "axis[0]"),
        (("tags", 0), "L1", "lathe", "axis[1]"),
        (("tags", 1), "L2", "lathe", "b"),
    ]
