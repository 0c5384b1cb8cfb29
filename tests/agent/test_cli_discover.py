"""`raceway discover opcua`: a browsed server becomes a tag list that the agent reads back."""

import csv
from pathlib import Path

from click.testing import CliRunner, Result

from agent.cli import main
from agent.commands.discover import as_csv
from agent.config import load
from collectors.opcua.suggest import Row
from tests.servers.opcua import HERE as SERVERS
from tests.servers.opcua import URI, asyncua_server

PATHS = {"Shop/Lathe/SpindleSpeed": 1500.0, "Shop/Lathe/Program": "O1234", "Shop/Grinder/SpindleSpeed": 900.0}


def raceway(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_server_becomes_a_tag_list(tmp_path: Path) -> None:
    """Written for Excel, read by the agent as it is; afterwards only what changed on the server is a difference."""
    out = tmp_path / "tags.csv"
    with asyncua_server(units={"C0": ["KWH", 0, 1000]}, paths=PATHS) as server:
        written = raceway("discover", "opcua", server.url, "-o", out, "--rate", 1000)
        same = raceway("discover", "opcua", server.url, "--diff", out, "--rate", 1000)
        server.do("add", name="Late", value=1.0)
        other = raceway("discover", "opcua", server.url, "--diff", out, "--rate", 1000)
    lines = list(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines()))
    found = {line["node"]: line for line in lines}
    config = tmp_path / "plant.yaml"
    config.write_text(f"plant: p\nsources: [{{kind: opcua, name: s, url: '{server.url}', tags_from: [tags.csv]}}]\n")

    assert 0 == written.exit_code, written.output
    counter = found[f"nsu={URI};s=C0"]
    assert ("kWh", "0 to 1000", "Double") == (counter["unit"], counter["range"], counter["data_type"])
    speed = found[f"nsu={URI};s=Shop/Grinder/SpindleSpeed"]
    assert ("Grinder", "spindle_speed", "gauge") == (speed["machine"], speed["signal"], speed["kind"])
    assert "text" == found[f"nsu={URI};s=Shop/Lathe/Program"]["kind"]
    assert len(lines) == len(load(config).sources[0].tags)  # type: ignore[union-attr]
    assert 0 == same.exit_code, same.output
    assert 1 == other.exit_code
    assert f"new      nsu={URI};s=Late" in other.output


def test_an_edited_list_is_not_overwritten(tmp_path: Path) -> None:
    """It is hours of somebody's work; the server is not even asked."""
    out = tmp_path / "tags.csv"
    out.write_text("edited")
    tried = raceway("discover", "opcua", "opc.tcp://127.0.0.1:1", "-o", out)

    assert (tried.exit_code, out.read_text()) == (2, "edited")
    assert "compare with --diff" in tried.output


def test_a_list_that_excel_saved_is_compared(tmp_path: Path) -> None:
    """With semicolons, in the encoding of a Chinese Windows."""
    out, saved = tmp_path / "tags.csv", tmp_path / "saved.csv"
    with asyncua_server(values={"温度": ["Double", 1.0]}) as server:
        raceway("discover", "opcua", server.url, "-o", out, "--rate", 1000)
        with saved.open("w", encoding="gb18030", newline="") as file:
            csv.writer(file, delimiter=";").writerows(csv.reader(out.read_text(encoding="utf-8-sig").splitlines()))
        same = raceway("discover", "opcua", server.url, "--diff", saved, "--rate", 1000)

    assert (same.exit_code, "0 gone, 0 new" in same.output) == (0, True), same.output


def test_a_name_of_a_server_is_no_formula() -> None:
    """Excel computes what begins with = or with a sign."""
    row = Row(*["=1+1"] * len(Row._fields))
    (line,) = list(csv.reader(as_csv([row]).splitlines()))[1:]

    assert set(line) == {"'=1+1"}


def test_companion_specifications_of_a_server_are_mapped(tmp_path: Path) -> None:
    """Our names and units, the precise one of two counters, states as numbers."""
    out = tmp_path / "tags.csv"
    with asyncua_server(counters=0, nodeset=str(SERVERS / "nodesets" / "companions.xml")) as server:
        written = raceway("discover", "opcua", server.url, "-o", out, "--only", "Machines/*", "--rate", 1000)
    lines = list(csv.DictReader(out.read_text(encoding="utf-8-sig").splitlines()))
    found = {(line["machine"], line["signal"]): (line["kind"], line["unit"], line["scale"]) for line in lines}

    assert 0 == written.exit_code, written.output
    assert {
        ("Lathe", "machine_state"): ("state", "", ""),
        ("Lathe", "machine_state_name"): ("text", "", ""),
        ("# Lathe", "active_energy"): ("counter", "kWh", "0.001"),
        ("Lathe", "active_energy"): ("counter", "kWh", "0.001"),
        ("Lathe", "active_power"): ("gauge", "kW", "0.001"),
        ("Lathe", "volume_flow"): ("gauge", "m³/h", "3600"),
        ("Lathe", "volume"): ("counter", "m³", ""),
        ("Lathe", "parts"): ("counter", "pcs", ""),
        ("Compressor", "pressure"): ("gauge", "bar", ""),
        ("Compressor", "active_power"): ("gauge", "kW", "0.001"),
        ("Compressor", "active_energy"): ("counter", "", ""),
        ("Compressor", "loaded_time"): ("counter", "h", "0.000277777777777778"),
    } == found
    assert "3 executing" in next(line["description"] for line in lines if line["signal"] == "machine_state")


def test_patterns_choose_what_is_written() -> None:
    """By browse path; a depth ends the walk."""
    with asyncua_server(paths=PATHS) as server:
        only = raceway("discover", "opcua", server.url, "--only", "Shop/*", "--without", "*Program", "--rate", 1000)
        shallow = raceway("discover", "opcua", server.url, "--depth", 1, "--rate", 1000)

    assert ["Grinder", "Lathe"] == [line["machine"] for line in csv.DictReader(only.stdout.splitlines())]
    assert [] == list(csv.DictReader(shallow.stdout.splitlines()))


def test_what_cannot_be_reached_is_said_in_words() -> None:
    """As everywhere: what happened, and what to check."""
    nowhere = raceway("discover", "opcua", "opc.tcp://127.0.0.1:1")
    wrong = raceway("discover", "opcua", "http://127.0.0.1:1")

    assert (1, 2) == (nowhere.exit_code, wrong.exit_code)
    assert "nothing listens there" in nowhere.output
    assert "is not an OPC UA address" in wrong.output
