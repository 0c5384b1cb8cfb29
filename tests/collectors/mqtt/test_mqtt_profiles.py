"""Profiles: what a mapping takes from one, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from collectors.mqtt.mappings import MappingSettings
from collectors.mqtt.profiles import names, profile, with_profile
from collectors.mqtt.signals import SignalSettings

RATIOS = {"ct": 1, "pt": 1, "side": "primary"}
SIGNAL = {"signal": "x", "path": "x"}


@pytest.mark.parametrize("name", names())
def test_every_profile_is_a_mapping(name: str) -> None:
    """With ratios and a signal of one's own each shipped profile is a whole mapping, and says what it is about."""
    mapping = MappingSettings.model_validate({"profile": name, **RATIOS, "signals": [SIGNAL]})
    assert mapping.signals[0] == SignalSettings.model_validate({**SIGNAL, **RATIOS})
    assert "about" not in profile(name)


def test_a_mapping_lies_over_its_profile() -> None:
    """Its own settings win, its signals keep their places and are completed by name, the profile's others follow."""
    own = {
        "profile": "tasmota",
        "topic": "hall/{machine}/SENSOR",
        "time": None,
        "signals": [SIGNAL, {"signal": "active_power", "maximum": 3000}],
    }
    mapping = MappingSettings.model_validate(own)
    assert mapping.topic == "hall/{machine}/SENSOR"
    assert mapping.time is not None
    assert [one.signal for one in mapping.signals][:3] == ["x", "active_power", "voltage"]
    assert (mapping.signals[1].path, mapping.signals[1].maximum) == ("ENERGY.Power", 3000)


def test_a_meter_with_transformers_must_still_say_them() -> None:
    """No profile knows the transformers of a cabinet."""
    with pytest.raises(ValidationError, match="active_energy in kWh does not say ct, pt"):
        MappingSettings.model_validate({"profile": "chint-dtsu666"})


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    """A file beside the configuration is a profile too."""
    (tmp_path / "mine.yaml").write_text("topic: t/{machine}\nsignals: [{signal: p, path: p, unit: kW}]\n")
    mapping = MappingSettings.model_validate({"profile": "mine.yaml"}, context={"directory": tmp_path})
    assert (mapping.topic, mapping.signals[0].unit) == ("t/{machine}", "kW")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        ("[1]", "no mapping"),
        ("a: [", "not YAML"),
        ("signals: 5", "no list of named signals"),
        ("signals: [5]", "no list of named signals"),
        ("topic: t/{machine}\ncolour: red\nsignals: [{signal: p}]", "colour"),
    ],
)
def test_a_profile_that_cannot_be_used(tmp_path: Path, content: str | None, complaint: str) -> None:
    """A file that is missing or no profile is refused in words."""
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(ValidationError) as error:
        MappingSettings.model_validate({"profile": "mine.yaml"}, context={"directory": tmp_path})
    assert complaint in str(error.value)


def test_a_name_with_a_typo() -> None:
    """The nearest profile is named."""
    with pytest.raises(ValidationError, match="use acrel-adw300"):
        MappingSettings.model_validate({"profile": "acrel-adw30"})


@pytest.mark.parametrize("given", [{}, {"profile": 5}, {"profile": None, "signals": 3}])
def test_without_a_profile_nothing_is_added(given: dict[str, Any]) -> None:
    """What is no profile's name is left for the validation to judge."""
    assert with_profile(given, directory=None) == given
