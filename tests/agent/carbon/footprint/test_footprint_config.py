"""What `raceway check` refuses about footprints, each with its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import check
from agent.onboarding.problems import ConfigErrors
from tests.agent.carbon.footprint.cases import SETTINGS
from tests.agent.carbon.plants import FACTORS, meter
from tests.agent.carbon.test_carbon_config import OPCUA

GIVEN: dict[str, Any] = {
    "plant": "p",
    "data_dir": "data",
    "sources": [OPCUA, {"kind": "ledger", "name": "ledger", "folder": "drop"}],
    "carbon": {"meters": [meter("m1")], "factors": FACTORS},
    "footprint": {**SETTINGS, "materials": [], "transport": [], "waste": []},
}


def said(folder: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """Everything that is wrong with the settings after a change."""
    given = copy.deepcopy(GIVEN)
    change(given)
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    try:
        check(path)
    except ConfigErrors as errors:
        return str(errors)
    return ""


def test_right_settings_are_accepted(tmp_path: Path) -> None:
    """The settings that the others change are right."""
    assert "" == said(tmp_path, lambda given: None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda g: g["footprint"].update(transport=[{"name": "truck", "factor": "grid_co2_shandong_2023"}]),
                     "must not be mixed", id="an organisation factor"),
        pytest.param(lambda g: g["footprint"].update(waste=[{"name": "sludge", "factor": "elec_cfp_cn_2024"}]),
                     "kg for a kg is wanted", id="a factor in another unit"),
        pytest.param(lambda g: g["footprint"].update(materials=[{"name": "steel", "factor": "nowhere"}]),
                     "is not in the register", id="an unknown factor"),
        pytest.param(lambda g: g["footprint"].update(energy=["natural_gas"]), "no meter counts natural_gas",
                     id="energy without a meter"),
        pytest.param(lambda g: g["carbon"]["factors"].pop("product"), "electricity has no factor over its life cycle",
                     id="energy without a product factor"),
        pytest.param(lambda g: g.pop("carbon"), "needs the accounts of energy", id="no accounts"),
        pytest.param(lambda g: g["sources"].pop(), "add a source of kind ledger", id="no ledger"),
        pytest.param(lambda g: g["footprint"].update(geography="Shandong"), "'Shandong' is no place", id="no place"),
        pytest.param(lambda g: g["footprint"]["products"][0].update(ids=["6205"]), "'6205' is no URN", id="no URN"),
        pytest.param(lambda g: g["footprint"]["products"][0].update(mass_kg="0"), "mass_kg", id="no mass"),
        pytest.param(lambda g: g["footprint"]["products"][1].update(number="A"), "'A' is there twice", id="twice"),
        pytest.param(lambda g: g["footprint"].pop("allocation"), "allocation", id="no rule of allocation"),
        pytest.param(lambda g: g["footprint"].update(leaves_out=[{"stage": "materials", "reason": "unknown"}]),
                     "more than 0 %", id="materials left out as if they were nothing"),
        pytest.param(lambda g: g["footprint"].update(valid_years=4), "valid_years", id="valid too long"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str) -> None:
    """What is wrong, and what to do."""
    assert words in said(tmp_path, change)
