"""`raceway demo`: its configuration, its counts, and the whole of it once."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import click.testing
import pytest

from agent import config
from agent.demo.command import chain, command, duration
from agent.demo.files import Influx, write_files
from agent.demo.processes import Agent, DidNotWork
from agent.demo.run import Outcome, Wish, demonstrate
from collectors.simulator.meters import MEDIA
from collectors.simulator.plant import Plant
from tests.servers.influxdb import BUCKET, ORG, real_influxdb

DEMO = (sys.executable, "-c", "from agent.cli import main; main()", "demo", "--port", "0")
GOOD = Outcome(
    read={"opcua": 300, "mqtt": 200}, durable=500, history=500, delivered=None, dead_lettered=0, gaps=0, lost=0,
    page="http://127.0.0.1:8484", seconds=60.0,
)  # fmt: skip


@pytest.mark.parametrize("influx", [False, True], ids=["history only", "with InfluxDB"])
def test_its_configuration_has_no_problem(tmp_path: Path, influx: bool) -> None:
    """What it writes passes `raceway check` without a warning, and names every signal of the plant."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("secret")
    database = Influx("http://127.0.0.1:8086", "plant", "telemetry", token) if influx else None
    path = write_files(
        tmp_path, opcua="opc.tcp://127.0.0.1:4840/p", mqtt="mqtt://127.0.0.1", listen="127.0.0.1:0", influx=database
    )
    checked, warnings = config.check(path)
    machines, meters = checked.sources
    assert not warnings
    assert len(checked.sinks) == influx
    assert {(d.machine, d.signal) for d in machines.declared()} == {
        (machine.name, signal.name) for machine in Plant(0).machines for signal in machine.signals
    }
    assert {d.signal for d in meters.declared()} == {key.signal for keys in MEDIA.values() for key in keys}


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60.0), ("60", 60.0), ("1.5 min", 90.0), ("5m", 300.0), ("2h", 7200.0)]
)
def test_lengths_of_time_are_read(text: str, seconds: float) -> None:
    """Seconds, minutes and hours, written as people write them."""
    assert seconds == duration(text)


def test_a_wrong_length_of_time_is_refused() -> None:
    """The error says how to write it."""
    with pytest.raises(click.BadParameter, match="write 60s, 5min or 2h"):
        duration("soon")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []),
        ({"lost": 3}, ["3 of the emitted values are not in the log"]),
        ({"durable": 499}, ["500 points were read, but 499 are in the log"]),
        ({"history": 498}, ["500 points were read, but the history took in 498"]),
        ({"delivered": 490, "dead_lettered": 10}, []),
        ({"delivered": 490}, ["500 points were read, but 490 delivered and 0 dead-lettered"]),
    ],
    ids=["all is well", "lost", "durable", "history", "dead letters are accounted for", "delivered"],
)
def test_counts_that_do_not_agree_are_named(change: dict[str, Any], says: list[str]) -> None:
    """Each disagreement is one sentence; none where every count agrees."""
    assert says == replace(GOOD, **change).disagreements()


def test_the_live_line_says_where_values_are() -> None:
    """Read, on disk, and what waits for each sink; the agent's own measurements are not the plant's."""
    status = {
        "sources": {
            "machines": {"kind": "opcua", "points": 1200},
            "meters": {"kind": "mqtt", "points": 34},
            "raceway": {"kind": "heartbeat", "points": 99},
        },
        "sinks": {"history": {"pending_points": 12}},
    }
    assert "read 1,200 OPC UA + 34 MQTT → on disk 1,234 → history 12 waiting" == chain(status)


@pytest.mark.parametrize("given", [["--influx", "http://h:8086"], ["--org", "o", "--bucket", "b"]])
def test_half_an_influxdb_is_refused(given: list[str]) -> None:
    """The four options belong together."""
    result = click.testing.CliRunner().invoke(command, given)
    assert 2 == result.exit_code
    assert "belong together" in result.output


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """A demonstration never continues older data, which would spoil its counts."""
    tmp_path.joinpath("something").touch()
    result = click.testing.CliRunner().invoke(command, ["--keep", str(tmp_path)])
    assert 2 == result.exit_code
    assert "is not empty" in result.output


async def test_an_agent_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error holds the agent's own last words."""
    path = tmp_path / "plant.yaml"
    path.write_text("plant: 7\nplants: 8\n")
    agent = await Agent.begin(path, data=tmp_path, log=tmp_path / "agent.log")
    with pytest.raises(DidNotWork, match=r"(?s)the agent ended with code 2.*plants"):
        await agent.page()


@pytest.mark.slow
def test_the_whole_chain_loses_nothing(tmp_path: Path) -> None:
    """A few seconds of the simulated plant: all read, durable, in the history, none lost; the folder can be kept."""
    folder = tmp_path / "kept"
    done = subprocess.run([*DEMO, "--for", "6s", "--json", "--keep", str(folder)], capture_output=True, timeout=55)
    assert 0 == done.returncode, done.stderr.decode()
    facts = json.loads(done.stdout)
    read = facts["read"]
    assert read["opcua"] > len([signal for machine in Plant(0).machines for signal in machine.signals])
    assert read["mqtt"] > 0
    assert read["opcua"] + read["mqtt"] == facts["durable"] == facts["history"]
    assert (None, 0, 0, 0) == tuple(facts[name] for name in ("delivered", "dead_lettered", "gaps", "lost"))
    assert facts["page"].startswith("http://127.0.0.1:")
    assert folder.joinpath("plant.yaml").exists()


@pytest.mark.slow
@pytest.mark.real("influxd")
@pytest.mark.timeout(120)
def test_every_value_is_delivered_to_a_real_influxdb() -> None:
    """With an InfluxDB, what it holds when asked is what was read, value by value."""
    with real_influxdb() as influx:
        options = ["--influx", influx.url, "--org", ORG, "--bucket", BUCKET, "--token-file", str(influx.token_file())]
        done = subprocess.run([*DEMO, "--for", "6s", "--json", *options], capture_output=True, timeout=100)
        assert 0 == done.returncode, done.stderr.decode()
        facts = json.loads(done.stdout)
        machines = {machine.name for machine in Plant(0).machines} | {meter.name for meter in Plant(0).meters}
        stored = [point for point in influx.points() if point[0] in machines]
    assert sum(facts["read"].values()) == facts["delivered"] == len(stored)


@pytest.mark.slow
def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    """Whatever it waits for, the second SIGINT ends it and its children, with the code of an interrupted command."""
    with subprocess.Popen(DEMO, stderr=subprocess.PIPE, cwd=tmp_path, start_new_session=True, text=True) as demo:
        assert demo.stderr
        assert any("The page:" in line for line in demo.stderr)
        children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
        demo.send_signal(signal.SIGINT)
        assert any("Ctrl-C ends it at once" in line for line in demo.stderr)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=5)
    assert 130 == demo.returncode, errors
    assert 2 == len(children)
    assert [] == [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
async def test_a_port_that_is_taken_meanwhile_is_given_up(tmp_path: Path) -> None:
    """Where the port was not asked for, another one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = await demonstrate(Wish(tmp_path, 1.0, port, any_port=True))

    assert [] == outcome.disagreements()
    assert not outcome.page.endswith(f":{port}")


@pytest.mark.slow
async def test_a_port_that_was_asked_for_is_not_changed(tmp_path: Path) -> None:
    """The demonstration says that another program has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DidNotWork, match=f"cannot serve its page at port {port}"):
            await demonstrate(Wish(tmp_path, 1.0, port))


@pytest.mark.slow
def test_ctrl_c_ends_it_with_its_counts(tmp_path: Path) -> None:
    """SIGINT stops the plant, lets everything arrive, and reports."""
    with subprocess.Popen(
        [*DEMO, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, start_new_session=True
    ) as demo:
        assert demo.stderr
        assert any(b"The page:" in line for line in demo.stderr)
        demo.send_signal(signal.SIGINT)
        out, errors = demo.communicate(timeout=40)
    assert 0 == demo.returncode, errors.decode()
    assert 0 == json.loads(out)["lost"]
    assert not list(tmp_path.iterdir())
