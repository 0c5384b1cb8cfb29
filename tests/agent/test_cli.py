"""The command line: what it prints, how it ends, and how fast it answers."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent import __version__
from agent.cli import main
from agent.config import json_schema
from agent.store.files import OsFiles

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "config" / "plant.example.yaml"
BOARD = {
    "plant": "p",
    "up_s": 7260.5,
    "log": {"state": "ok", "points": 1234567, "bytes_on_disk": 3e6, "quota_bytes": 2e9, "lost_points": {"quota": 7}},
    "sources": {
        "机器": {"kind": "opcua", "state": "connected", "since_ns": 1, "points": 1000, "last_data_ns": 2},
        "meters": dict(
            {"kind": "mqtt", "state": "lost", "since_ns": 1, "points": 5, "last_data_ns": 0, "reason": "refused"},
            troubles={"plant/a": "not\x1b[2J JSON"},
        ),
    },
    "sinks": {
        "influx": {"kind": "influxdb", "state": "delivering", "since_ns": 1, "points": 9, "pending_points": 4321}
    },
}


def raceway(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """An HTTP server that gives the same answer to every GET; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """A store that somebody holds, as a running agent does."""
    data_dir.joinpath("log").mkdir(parents=True)
    handle = OsFiles().lock(data_dir / "log" / "LOCK")
    try:
        yield
    finally:
        os.close(handle)


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A configuration whose peers all refuse: nothing listens on port 1."""
    tmp_path.joinpath("token").write_text("x")
    tmp_path.joinpath("token").chmod(0o600)
    path = tmp_path / "plant.yaml"
    path.write_text(
        "plant: p\ndata_dir: data\n"
        "sources:\n"
        "  - kind: opcua\n    name: machines\n    url: opc.tcp://127.0.0.1:1\n"
        "    tags: [{machine: m, signal: s, node: i=2258}]\n"
        "  - kind: mqtt\n    name: meters\n    url: mqtt://127.0.0.1:1\n"
        "    mappings: [{topic: '{machine}/e', signals: [{signal: power, path: p, unit: kW}]}]\n"
        "sinks: [{kind: influxdb, url: 'http://127.0.0.1:1', org: o, bucket: b, token_file: token}]\n",
        encoding="utf-8",
    )
    return path


def test_check_says_what_a_right_configuration_does() -> None:
    """A configuration without errors ends with 0 and a line that names plant, sources and sinks."""
    result = raceway("check", EXAMPLE)

    assert 0 == result.exit_code
    assert "plant my-bearing-plant; sources: machines (10 signals), meters (5 signals); sinks: none" in result.output


def test_check_tells_scripts_the_same() -> None:
    """`--json` is one object."""
    found = json.loads(raceway("check", "--json", EXAMPLE).stdout)

    assert (True, "my-bearing-plant") == (found["ok"], found["plant"])
    assert {"name": "machines", "kind": "opcua", "signals": 10} == found["sources"][0]


def test_check_shows_a_hundred_problems_and_counts_the_rest(tmp_path: Path) -> None:
    """A list of five thousand wrong rows does not flood the terminal."""
    rows = "".join(f"m,s{number},not-a-node\n" for number in range(5000))
    tmp_path.joinpath("tags.csv").write_text(f"machine,signal,node\n{rows}")
    path = tmp_path / "plant.yaml"
    path.write_text("plant: p\nsources: [{kind: opcua, name: m, url: 'opc.tcp://h', tags_from: [tags.csv]}]")

    lines = raceway("check", path).output.splitlines()

    assert "... and 4900 more; `raceway check --json` lists them all" in lines
    assert lines[-1].endswith("5000 errors")


def test_a_check_imports_nothing_heavy() -> None:
    """Neither numpy nor a client library is imported for a check, so that it answers at once."""
    script = (
        "import sys; from agent.cli import main\n"
        f"try: main(['check', {str(EXAMPLE)!r}])\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = {'numpy', 'asyncua', 'paho', 'influxdb_client', 'uvicorn', 'starlette', 'openpyxl', 'structlog'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )

    ran = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=True)

    assert "[]" == ran.stdout.splitlines()[-1]


def test_test_says_who_cannot_be_reached(plant: Path) -> None:
    """Peers that refuse are named with the reason, each in its own words, and the command ends with 1."""
    result = raceway("test", "--timeout", "2", plant)

    assert 1 == result.exit_code
    assert "machines (opcua) opc.tcp://127.0.0.1:1: FAILED" in result.output
    assert "meters (mqtt) mqtt://127.0.0.1:1: FAILED" in result.output
    assert "influx (influxdb) http://127.0.0.1:1: FAILED" in result.output
    assert "Traceback" not in result.output


def test_test_tells_scripts_the_same(plant: Path) -> None:
    """`--json` gives one object with a probe for each source and sink."""
    result = raceway("test", "--json", "--timeout", "2", plant)

    probes = json.loads(result.stdout)["probes"]
    assert [("machines", False), ("meters", False), ("influx", False)] == [
        (probe["name"], probe["ok"]) for probe in probes
    ]
    assert all(probe["trouble"] for probe in probes)


@pytest.mark.parametrize(
    "command", ["check", "test", "status", "trust", "gaps", "log status", "log verify", "log dump"]
)
def test_a_refusal_is_json_too(command: str, tmp_path: Path) -> None:
    """Whatever command a script asks for JSON, a configuration that is wrong gives the object of `check --json`."""
    result = raceway(*command.split(), "--json", tmp_path / "nofile.yaml")

    said = json.loads(result.stdout)
    assert (2, False) == (result.exit_code, said["ok"])
    assert "the configuration does not exist" == said["problems"][0]["what"]


def test_what_a_command_logs_is_no_answer(plant: Path) -> None:
    """Standard output is the answer alone: warnings go to standard error, and less than a warning is not said."""
    script = (
        "import structlog; from agent.cli import main; from agent.commands import status\n"
        "def loud(*_, **__): [getattr(structlog.get_logger(), how)('door.opened') for how in ('info', 'warning')]\n"
        f"status.show_status = loud; main(['status', '--json', {str(plant)!r}])"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, timeout=30)

    assert ("", 1) == (ran.stdout, ran.stderr.count("door.opened"))


def test_status_shows_the_board(plant: Path) -> None:
    """Sources and sinks with state, counts and reasons; Chinese names keep the columns aligned."""
    data = plant.parent / "data"
    with answering(json.dumps(BOARD).encode()) as address, held(data):
        data.joinpath("run.json").write_text(json.dumps({"pid": 1, "http": address}))
        lines = raceway("status", plant).output.splitlines()
        scripted = json.loads(raceway("status", "--json", plant).stdout)

    assert "plant p, up 2.0 h" == lines[0]
    assert "log ok, 1,234,567 points durable, 3 of 2,000 MB, lost 7 (quota)" == lines[1]
    assert lines[4].startswith("机器    opcua  connected")
    assert lines[5].startswith("meters  mqtt   lost ")
    assert ["    → refused", "    → plant/a: not�[2J JSON"] == lines[6:8]
    assert lines[-1].endswith("9    4,321")
    assert {"running": True, **BOARD} == scripted


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (None, "no agent runs"),
        ("{", "cannot be read"),
        ('{"pid": 7, "http": ""}', "the agent runs (process 7) but serves no page yet; if its port is taken"),
        ('{"http": "http://127.0.0.1:1"}', "does not answer"),
        ('{"http": "file:///etc/passwd"}', "names no address"),
    ],
    ids=["stopped", "damaged", "port taken", "gone", "no address"],
)
def test_status_says_why_nobody_answers(note: str | None, reason: str, plant: Path) -> None:
    """What is the matter is said in words, with exit code 1."""
    with held(plant.parent / "data"):
        if note is not None:
            plant.parent.joinpath("data", "run.json").write_text(note)

        result = raceway("status", plant)

    assert 1 == result.exit_code
    assert reason in result.stderr


def test_the_note_of_a_killed_agent_is_not_believed(plant: Path) -> None:
    """Who runs holds the store; a note alone was left by an agent that was killed, whoever has its number now."""
    data = plant.parent / "data"
    with held(data):
        data.joinpath("run.json").write_text(json.dumps({"pid": 1, "http": ""}))

    assert "the last one was killed" in raceway("status", plant).stderr


def test_what_answers_must_be_raceway(plant: Path) -> None:
    """Another program on the port is not mistaken for the agent."""
    with held(plant.parent / "data"):
        for body in (b"<html>", b"[]", b"{}"):
            with answering(body) as address:
                plant.parent.joinpath("data", "run.json").write_text(json.dumps({"http": address}))

                assert 1 == raceway("status", plant).exit_code, body


def test_run_needs_a_folder_to_write_to(plant: Path) -> None:
    """A data folder that is a file is said in words, with exit code 2 as every wrong setting."""
    plant.parent.joinpath("data").write_text("in the way")

    script = f"from agent.cli import main; main(['run', {str(plant)!r}])"
    ran = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, timeout=30)

    assert 2 == ran.returncode
    assert "plant.yaml:2:11" in ran.stderr
    assert "is not a folder" in ran.stderr
    assert "Traceback" not in ran.stderr


def status_once(path: Path, condition: Callable[[Result], bool]) -> Result:
    """The first answer of `raceway status --json` that meets the condition; the last one after 20 s."""
    deadline = time.monotonic() + 20
    while not condition(result := raceway("status", "--json", path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return result


def test_an_agent_whose_port_is_taken_runs_and_says_so(tmp_path: Path) -> None:
    """`status` tells an agent without its page from no agent at all."""
    path = tmp_path / "plant.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        path.write_text(f"plant: p\ndata_dir: data\ndashboard: {{listen: '127.0.0.1:{taken.getsockname()[1]}'}}\n")
        script = f"from agent.cli import main; main(['run', {str(path)!r}])"
        agent = subprocess.Popen([sys.executable, "-c", script], cwd=TOP, stderr=subprocess.PIPE, text=True)
        try:
            said = status_once(path, lambda result: "process" in result.stdout).stdout
        finally:
            agent.terminate()
            agent.communicate(timeout=20)

    assert f"the agent runs (process {agent.pid}) but serves no page yet" in json.loads(said)["reason"]


def test_the_agent_runs_once_and_stops_when_told(tmp_path: Path) -> None:
    """A running agent answers `status`, a second one on the same data is refused, and SIGTERM ends it with 0."""
    path = tmp_path / "plant.yaml"
    path.write_text("plant: p\ndata_dir: data\ndashboard: {listen: '127.0.0.1:0'}\n")
    script = f"from agent.cli import main; main(['run', {str(path)!r}])"
    first = subprocess.Popen([sys.executable, "-c", script], cwd=TOP, stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr is not None
        assert any("agent.started" in line for line in first.stderr)
        status = json.loads(status_once(path, lambda result: 0 == result.exit_code).stdout)
        second = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, timeout=30)
    finally:
        first.terminate()
        first.communicate(timeout=20)

    assert ("p", True) == (status["plant"], status["running"])
    assert 1 == second.returncode
    assert "Traceback" not in second.stderr
    assert 0 == first.returncode
    assert "no agent runs" in raceway("status", path).stderr


def test_a_log_that_fails_ends_the_agent(tmp_path: Path) -> None:
    """A bug in the writer's thread ends the process by itself and with an error, so that it is started again."""
    path = tmp_path / "plant.yaml"
    path.write_text("plant: p\ndata_dir: data\ndashboard: {listen: '127.0.0.1:0'}\n")
    script = f"""
from agent.cli import main
from agent.store.journal import Journal
def broken(journal, deliveries): raise RuntimeError("a bug")
Journal.stage = broken
main(['run', {str(path)!r}])
"""
    ran = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, timeout=40)

    assert 1 == ran.returncode
    assert 1 == ran.stderr.count("Traceback")
    assert "the log on disk has failed" in ran.stderr


def test_version_and_schema() -> None:
    """The versions for people and scripts, and the schema as the models give it."""
    assert f"raceway {__version__}" == raceway("version").output.splitlines()[0]
    assert __version__ == json.loads(raceway("version", "--json").stdout)["raceway"]
    assert json_schema() == raceway("schema").output


@pytest.mark.parametrize("arguments", [["chekc"], ["check"], ["check", "a", "b"], ["test", "a", "--timeout", "soon"]])
def test_a_wrong_command_line_ends_with_two(arguments: list[str]) -> None:
    """Usage errors are said by the command line itself."""
    result = raceway(*arguments)

    assert 2 == result.exit_code
    assert "Usage:" in result.output
