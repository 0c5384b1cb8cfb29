"""`raceway check` refuses what would give wrong kilograms, and says where."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import check
from agent.onboarding.problems import ConfigErrors
from tests.agent.carbon.plants import FACTORS, TARIFF, meter

OPCUA = {
    "kind": "opcua",
    "name": "machines",
    "url": "opc.tcp://192.0.2.1:4840",
    "tags": [
        {"machine": name, "signal": "active_energy", "node": f"ns=2;s={name}", "unit": "kWh", "kind": "counter"}
        for name in ("m1", "m2")
    ]
    + [{"machine": "gas", "signal": "volume", "node": "ns=2;s=gas", "unit": "m³", "kind": "counter"}],
}
MQTT = {
    "kind": "mqtt",
    "name": "meters",
    "url": "mqtt://192.0.2.2:1883",
    "mappings": [
        {
            "topic": "plant/{machine}/energy",
            "signals": [
                {
                    "signal": "meter_energy", "path": "e", "unit": "kWh", "kind": "counter",
                    "side": "secondary", "ct": 40, "pt": 1,
                }
            ],
        }
    ],
}  # fmt: skip


def problems(folder: Path, carbon: dict[str, Any]) -> list[str]:
    settings = {"plant": "p", "data_dir": "data", "sources": [OPCUA, MQTT], "carbon": carbon}
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    try:
        check(path)
    except ConfigErrors as errors:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [f"{lines[p.place.line - 1].strip()} | {p.what}; {p.todo}" for p in errors.problems if p.place.line]
    return []


def gas(**given: Any) -> dict[str, Any]:
    return {"name": "gas", "machine": "gas", "signal": "volume", "unit": "m³", "medium": "natural_gas",
            "most_per_h": 50, **given}  # fmt: skip


def test_right_settings_have_no_problem(tmp_path: Path) -> None:
    """Meters, a tree of feeders, a tariff, factors of both kinds."""
    carbon = {
        "meters": [meter("m1"), meter("m2", under="m1"), gas(reference="20C")],
        "shifts": [{"name": "早班", "from": "08:00", "to": "20:00"}],
        "tariff": TARIFF,
        "factors": FACTORS,
    }

    assert [] == problems(tmp_path, carbon)


@pytest.mark.parametrize(
    ("meters", "where", "what"),
    [
        ([meter("m1", side=None)], "- name: m1", "does not say whether its values are primary or secondary"),
        ([meter("m1", side="secondary")], "- name: m1", "write ct and pt"),
        ([meter("m1", side="secondary", ct=40)], "- name: m1", "write ct and pt"),
        ([meter("m1", ct=40, pt=1)], "- name: m1", "has ct or pt, but not side: secondary"),
        (
            [meter("meter", signal="meter_energy", side="secondary", ct=40, pt=1)],
            "side: secondary", "multiplies by ct and pt already",
        ),
        ([meter("m1", unit="Wh")], "unit: Wh", "but its source says kWh"),
        ([meter("m1", medium="natural_gas", side=None)], "unit: kWh", "kWh cannot count natural_gas"),
        ([gas()], "unit: m³", "the reference of a gas volume is missing"),
        ([meter("m9")], "signal: active_energy", "no source brings 'active_energy' of 'm9'"),
        ([meter("m1"), meter("m1")], "name: m1", "is there twice"),
        ([meter("m1", under="m7")], "under: m7", "is no other meter of this list"),
        ([meter("m1", under="m2"), meter("m2", under="m1")], "under: m2", "feeds itself"),
        ([meter("m1", checks="m2"), meter("m2", checks="m1")], "checks: m2", "only checks another meter itself"),
        ([meter("m1"), gas(reference="0C", under="m1")], "under: m1", "'m1' counts electricity"),
        ([meter("m1", power_signal="active_energy")], "- name: m1", "no resolution"),
        (
            [meter("m1", epochs=[{"serial": "A", "to": "2026-03-02 08:00"}, {"serial": "B"}])],
            "- name: m1", "between two epochs must stand",
        ),
    ],
)  # fmt: skip
def test_wrong_meters_are_refused(tmp_path: Path, meters: list, where: str, what: str) -> None:
    """With the line on which it stands."""
    given = [{key: value for key, value in one.items() if value is not None} for one in meters]
    found = problems(tmp_path, {"meters": given})

    assert [problem for problem in found if where.lstrip("- ") in problem.partition(" | ")[0] and what in problem], (
        found
    )


@pytest.mark.parametrize(
    ("factors", "where", "what"),
    [
        (
            {"organisation": [{"medium": "electricity", "factor": "elec_cfp_cn_2024"}]},
            "factor: elec_cfp_cn_2024", "is a factor for products",
        ),
        (
            {"product": [{"medium": "electricity", "factor": "grid_co2_cn_2023"}]},
            "factor: grid_co2_cn_2023", "is a factor for organisations",
        ),
        (
            {"coal": [{"medium": "electricity", "factor": "coal_eq_heat2"}]},
            "factor: coal_eq_heat2", "is not in the register",
        ),
        ({"organisation": [{"medium": "electricity", "factor": "ng_ef"}]}, "factor: ng_ef", "counted in kWh"),
        ({"residual": "coal_eq_elec"}, "residual: coal_eq_elec", "is a coal equivalent"),
    ],
)  # fmt: skip
def test_factors_of_the_wrong_kind_are_refused(tmp_path: Path, factors: dict, where: str, what: str) -> None:
    """An inventory never takes a footprint's factor, nor the reverse."""
    found = problems(tmp_path, {"meters": [meter("m1")], "factors": {**FACTORS, **factors}})

    assert any(where in problem.partition(" | ")[0] and what in problem for problem in found), found


@pytest.mark.parametrize(
    ("season", "what"),
    [
        ({"from": "01-01", "to": "06-30"}, "07-01 as a working day: no season covers it"),
        ({"from": "01-01", "to": "12-31", "bands": {"peak": ["22:00-06:00"]}}, "is no part of a day"),
        ({"from": "01-01", "to": "12-31", "bands": {"peak": ["07:10-09:00"]}}, "begins inside a slot"),
    ],
)
def test_a_calendar_that_does_not_cover_the_year_is_refused(tmp_path: Path, season: dict, what: str) -> None:
    """The first day that has no band, or two, is named."""
    tariff = {**TARIFF, "seasons": [{"name": "only", **season}]}
    found = problems(tmp_path, {"meters": [meter("m1")], "tariff": tariff})

    assert any(what in problem for problem in found), found
