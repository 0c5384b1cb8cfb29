"""What a meter really measured: transformer ratios, lost signs, and values that cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from collectors.mqtt.config import MqttConfig
from collectors.mqtt.decode import NO_DATA
from tests.collectors.mqtt.test_mqtt_decode import decode_one, decoder, messages, shown

NOW = 1_700_000_000_000_000_000


def meter(*signals: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"topic": "{machine}", "signals": list(signals), **settings}


ENERGY = {"signal": "e", "path": "wh", "unit": "kWh", "kind": "counter"}
SECONDARY = {"ct": 40, "pt": 100, "side": "secondary"}


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("kWh", 4000), ("kvarh", 4000), ("kW", 4000), ("kvar", 4000), ("kVA", 4000), ("A", 40), ("V", 100), ("Hz", 1),
     ("1", 1), ("°C", 1)],
)  # fmt: skip
def test_which_ratio_counts(unit: str, expected: float) -> None:
    """Power and energy are multiplied by both ratios, current by ct, voltage by pt, anything else by none."""
    mapping = meter({"signal": "x", "path": "x", "unit": unit}, **SECONDARY)
    assert shown(decode_one(mapping, "m", {"x": 1})) == [("m", "x", expected)]


def test_the_primary_side_is_taken_as_it_comes() -> None:
    """A meter that has multiplied already keeps its values, whatever the ratios."""
    mapping = meter(ENERGY, ct=40, pt=100, side="primary")
    assert shown(decode_one(mapping, "m", {"wh": 8.98})) == [("m", "e", 8.98)]


def test_ratios_from_the_payload() -> None:
    """The payload's own ratios count, value by value, also where they come as text; a static one beside them too."""
    mapping = meter(ENERGY, {"signal": "i", "path": "ia", "unit": "A"}, ct="ct", pt=2, side="secondary")
    decoded = decoder(mapping).decode(
        messages(("m", {"wh": 8.98, "ia": 5, "ct": 40}), ("m", {"wh": "9", "ia": 1, "ct": "60"})), received_ns=NOW
    )
    assert [value for _, _, value in shown(decoded)] == pytest.approx([718.4, 200, 1080, 60])
    assert decoded.letters == []


@pytest.mark.parametrize("ct", [None, 0, -1, "none", [40]])
def test_a_payload_without_its_ratio_is_refused(ct: object) -> None:
    """Energy of the wrong side is worse than none: the value is refused, with what was there; others are kept."""
    mapping = meter(ENERGY, {"signal": "u", "path": "ua", "unit": "V"}, ct="ct", pt=1, side="secondary")
    decoded = decode_one(mapping, "m", {"wh": 8.98, "ua": 220, "ct": ct})
    assert shown(decoded) == [("m", "u", 220.0)]
    (letter,) = decoded.letters
    assert "for a transformer ratio" in letter.reason
    assert b"8.98" in letter.payload


def test_scale_and_offset_come_before_the_ratios() -> None:
    """Scale and offset make the meter's own reading; that is multiplied."""
    signal = {**ENERGY, "scale": 0.01, "offset": 1}
    assert shown(decode_one(meter(signal, **SECONDARY), "m", {"wh": 300})) == [("m", "e", 16000.0)]
    dynamic = {"ct": "ct", "pt": 100, "side": "secondary"}
    assert shown(decode_one(meter(signal, **dynamic), "m", {"wh": 300, "ct": 40})) == [("m", "e", 16000.0)]


@pytest.mark.parametrize(
    ("settings", "raw", "expected"),
    [
        ({"signed_bits": 32, "signed_step": 0.01}, 42949066.16, -606.80),
        ({"signed_bits": 32, "signed_step": 0.01}, "42949066.16", -606.80),
        ({"signed_bits": 32, "signed_step": 0.01}, 606.8, 606.8),
        ({"signed_bits": 16}, 65535, -1),
        ({"signed_bits": 16}, 32768, -32768),
        ({"signed_bits": 16}, 32767, 32767),
        ({"signed_bits": 16}, 65536, 65536),
        ({"signed_bits": 16}, -5, -5),
        ({"signed_bits": 16, "scale": 0.1, "offset": 1}, 65526, 0.0),
    ],
)
def test_lost_signs(settings: dict[str, Any], raw: object, expected: float) -> None:
    """A negative number that was written without its sign gets it back; others stay."""
    ((_, _, value),) = shown(decode_one(meter({"signal": "q", "path": "q", **settings}), "m", {"q": raw}))
    assert value == pytest.approx(expected)


def test_no_value_is_looked_for_before_the_sign() -> None:
    """0xFFFF that stands for nothing is Bad, not minus one."""
    mapping = meter({"signal": "q", "path": "q", "signed_bits": 16, "no_value": [65535]})
    decoded = decode_one(mapping, "m", {"q": 65535})
    assert decoded.batch is not None
    assert decoded.batch.quality.tolist() == [NO_DATA]


def test_what_cannot_be_is_kept_with_its_reason() -> None:
    """A refused value leaves the raw payload, the raw value and the reason; limits are those of the primary side."""
    signal = {**ENERGY, "minimum": 0, "maximum": 50_000}
    mapping = meter(signal, {"signal": "u", "path": "ua", "unit": "V"}, **SECONDARY)
    decoded = decode_one(mapping, "m", {"wh": 13, "ua": 2.25})
    assert shown(decoded) == [("m", "u", 225.0)]
    (letter,) = decoded.letters
    assert letter.reason == "e: 52000 kWh is not between 0 and 50000 (13 in the payload)"
    assert letter.payload == b'{"wh": 13, "ua": 2.25}'


@pytest.mark.parametrize(
    ("mapping", "where", "complaint"),
    [
        (meter(ENERGY), ("mappings", 0, "signals", 0), "does not say ct, pt, side"),
        (meter({**ENERGY, "ct": 1}, side="primary"), ("mappings", 0, "signals", 0), "does not say pt"),
        (meter({**ENERGY, "unit": "kvarh"}), ("mappings", 0, "signals", 0), "e in kvarh does not say"),
        (meter({**ENERGY, "kind": "gauge"}), ("mappings", 0, "signals", 0), "e in kWh does not say"),
        (meter(ENERGY, ct=0, pt=1, side="primary"), ("mappings", 0, "ct"), "greater than 0"),
        (meter(ENERGY, ct="a[", pt=1, side="primary"), ("mappings", 0, "ct"), "cannot be read"),
        (meter(ENERGY, ct=1, pt=1, side="outer"), ("mappings", 0, "side"), "'primary' or 'secondary'"),
        (meter({"signal": "x"}, **SECONDARY), ("mappings", 0, "signals", 0), "has no unit"),
        (meter({"signal": "i", "unit": "A", "side": "secondary"}), ("mappings", 0, "signals", 0), "needs ct and pt"),
        (meter({"signal": "s", "kind": "text", "signed_bits": 16}), ("mappings", 0, "signals", 0), "for numbers"),
    ],
)
def test_what_a_meter_must_say(mapping: dict[str, Any], where: tuple[str | int, ...], complaint: str) -> None:
    """Energy without ratios and side is refused, at the signal's own place."""
    with pytest.raises(ValidationError) as error:
        MqttConfig.model_validate({"name": "m", "url": "mqtt://h", "mappings": [mapping]})
    found = {
        tuple(step for step in one["loc"] if step not in ("float", "int")): one["msg"] for one in error.value.errors()
    }
    assert any(loc[: len(where)] == where and complaint in message for loc, message in found.items()), found
