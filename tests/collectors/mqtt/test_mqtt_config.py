"""What can be set about an MQTT source, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.rows import ROW_COLUMNS, mappings_from_rows

SIGNAL = {"signal": "p", "path": "p"}
MAPPING = {"topic": "t/{machine}", "signals": [SIGNAL]}


def config(**changes: Any) -> MqttConfig:
    return MqttConfig.model_validate({"name": "m", "url": "mqtt://h", "mappings": [MAPPING], **changes})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"url": "http://h"}, "no broker address"),
        ({"url": "mqtt://"}, "names no host"),
        ({"url": "mqtt://h:99999"}, "names no host, or a port"),
        ({"url": "mqtt://user:secret@h"}, "no user name or password in the url"),
        ({"password_file": "x"}, "needs a username"),
        ({"tls": {"ca_file": "ca.pem"}}, "no use without TLS"),
        ({"url": "mqtts://h", "tls": {"certificate_file": "c.pem"}}, "belong together"),
        ({"protocol": "4"}, "protocol"),
        ({"receive_maximum": 0}, "receive_maximum"),
        ({"mappings": []}, "mappings"),
        ({"mappngs_from": []}, "mappngs_from"),
        ({"mappings": [{**MAPPING, "topic": "t"}]}, "nothing says which machine"),
        ({"mappings": [{**MAPPING, "device": "sn", "machine": "x"}]}, "both name the machine"),
        ({"mappings": [{**MAPPING, "machine": "{sn}"}]}, "{sn} is not a placeholder"),
        ({"mappings": [{**MAPPING, "topic": "t/{"}]}, "brace"),
        ({"mappings": [{**MAPPING, "device": "a["}]}, "cannot be read"),
        ({"mappings": [{**MAPPING, "signals": [SIGNAL, SIGNAL]}]}, "twice in one mapping"),
        ({"mappings": [{**MAPPING, "time": {"path": "ts", "format": "ms"}}]}, "is no time format"),
        ({"mappings": [{**MAPPING, "time": {"path": "ts", "zone": "China"}}]}, "is no time zone"),
        ({"mappings": [{**MAPPING, "signals": [{**SIGNAL, "path": "a["}]}]}, "cannot be read"),
        ({"mappings": [{**MAPPING, "signals": [{**SIGNAL, "unit": "kwhh"}]}]}, "kwhh"),
        ({"mappings": [{**MAPPING, "signals": [{**SIGNAL, "type": "text"}]}]}, "does not go with kind"),
        ({"mappings": [{**MAPPING, "signals": [{**SIGNAL, "kind": "text", "scale": 2}]}]}, "are for numbers"),
        ({"mappings": [{**MAPPING, "signals": [{**SIGNAL, "scale": 0}]}]}, "scale of 0"),
        ({"mappings": [{**MAPPING, "signals": [{**SIGNAL, "minimum": 2, "maximum": 1}]}]}, "is not below"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], complaint: str) -> None:
    """Each mistake is named."""
    with pytest.raises(ValidationError) as error:
        config(**changes)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://h", ("h", 1883)),
        ("mqtts://h", ("h", 8883)),
        ("ws://h/mqtt", ("h", 80)),
        ("wss://h:8084/mqtt", ("h", 8084)),
        ("mqtt://[::1]:1884", ("::1", 1884)),
    ],
)
def test_address(url: str, address: tuple[str, int]) -> None:
    """Host and port, with each scheme's usual port."""
    assert config(url=url).address == address


def test_client_id() -> None:
    """The same at every start, different for every plant and source, whatever their names; its own word wins."""
    assert config().client_id_at("plant 1") == config().client_id_at("plant 1")
    assert config().client_id_at("plant-1") != config().client_id_at("plant 1")
    assert config().client_id_at("一厂") != config().client_id_at("二厂")
    assert config().client_id_at("一厂").isascii()
    assert config(client_id="mine").client_id_at("p") == "mine"


def test_declared() -> None:
    """Every signal with where it is written, and who it is about, templates where the topic says it."""
    declared = list(
        config(
            area="hall",
            mappings=[
                {"topic": "{line}/{machine}", "signals": [SIGNAL]},
                {"topic": "x", "machine": "m1", "line": "l1", "signals": [SIGNAL, {**SIGNAL, "signal": "e"}]},
                {"topic": "y", "device": "sn", "signals": [SIGNAL]},
            ],
        ).declared()
    )
    assert [(one.where, one.area, one.line, one.machine, one.signal) for one in declared] == [
        (("mappings", 0, "signals", 0), "hall", "{line}", "{machine}", "p"),
        (("mappings", 1, "signals", 0), "hall", "l1", "m1", "p"),
        (("mappings", 1, "signals", 1), "hall", "l1", "m1", "e"),
        (("mappings", 2, "signals", 0), "hall", "", "{sn}", "p"),
    ]


def test_rows_of_a_tag_list_become_mappings() -> None:
    """Rows with the same mapping columns are one mapping; empty cells fall to the defaults."""
    rows = [
        {"topic": "t/{machine}", "time_path": "ts", "signal": "p", "path": "p", "unit": "kW", "scale": "0.1"},
        {"topic": "t/{machine}", "time_path": "ts", "signal": "e", "path": "e", "unit": "", "kind": "counter"},
        {"topic": "u", "machine": "m", "signal": "x", "path": "x"},
    ]
    mappings = config(mappings=mappings_from_rows(rows)).mappings
    assert [(mapping.topic, len(mapping.signals)) for mapping in mappings] == [("t/{machine}", 2), ("u", 1)]
    assert mappings[0].time is not None
    assert (mappings[0].signals[0].scale, mappings[0].signals[1].kind) == (0.1, "counter")
    assert {name for row in rows for name in row} <= set(ROW_COLUMNS)


def test_rows_can_say_what_a_mapping_can() -> None:
    """Shapes, lists, words and values that are none, a profile, a time that must be there: each in one cell."""
    rows = [
        {"topic": "t/{machine}", "only": "type=data|hstdata; v=2", "ignore": "type=heart", "each": "l",
         "sparse": "true", "time_path": "ts", "time_required": "true", "signal": "s", "path": "s", "kind": "state",
         "map": "RUN=1; STOP=0"},
        {"topic": "a/{product}/{cmd}/{sn}", "profile": "acrel-adw300", "signal": "p", "path": "p", "unit": "kW",
         "no_value": "65535; ----"},
        {"topic": "a/{product}/{cmd}/{sn}", "profile": "acrel-adw300", "signal": "active_energy", "unit": "MWh"},
    ]  # fmt: skip
    first, second = config(mappings=mappings_from_rows(rows)).mappings
    assert first.only == {"type": ("data", "hstdata"), "v": (2.0, "2")}
    assert (first.ignore, first.each, first.sparse) == (({"type": ("heart",)},), "l", True)
    assert first.time is not None
    assert first.time.required
    assert first.signals[0].map == {"RUN": 1, "STOP": 0}
    assert second.signals[0].no_value == (65535.0, "65535", "----")
    assert {signal.signal: signal.unit for signal in second.signals}["active_energy"] == "MWh"
    assert {name for row in rows for name in row} <= set(ROW_COLUMNS)


@pytest.mark.parametrize("cell", [{"only": "type"}, {"map": "RUN"}, {"sparse": "perhaps"}], ids=str)
def test_a_cell_that_cannot_be_read_is_named(cell: dict[str, str]) -> None:
    """The column is in the complaint."""
    with pytest.raises(ValidationError, match=next(iter(cell))):
        config(mappings=mappings_from_rows([{"topic": "t/{machine}", "signal": "p", "path": "p", **cell}]))


def test_an_unknown_column_is_named() -> None:
    """A column that means nothing is refused by its name."""
    with pytest.raises(ValidationError, match="colour"):
        config(mappings=mappings_from_rows([{"topic": "t/{machine}", "signal": "p", "colour": "red"}]))


def test_configuration_needs_neither_paho_nor_numpy() -> None:
    """Checking a configuration stays quick: no client library is imported."""
    code = (
        "import sys; from collectors.mqtt.config import MqttConfig;"
        "sys.exit(any(name in sys.modules for name in ('paho', 'numpy', 'asyncio', 'orjson')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0
