"""What only the whole configuration can tell, where it is a warning or a matter of degree."""

from pathlib import Path

import pytest

from agent.carbon.sink import CarbonSink
from agent.config import check, load
from agent.dashboard.latest import Latest
from agent.heartbeat import Heartbeat
from agent.history.sink import HistorySink
from agent.onboarding.problems import ConfigErrors, Problem
from collectors.names import RESERVED, trouble_with_name
from tests.accounts import as_nobody, closed, open_folder

HEAD = "plant: p\ndata_dir: data\n"


def problems(folder: Path, text: str) -> list[str]:
    """What `raceway check` says of this configuration, errors and warnings, without hints."""
    path = folder / "plant.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    try:
        found = check(path)[1]
    except ConfigErrors as errors:
        found = errors.problems
    return [said(problem, folder) for problem in found]


def said(problem: Problem, folder: Path) -> str:
    """The problem without its hint and without the folder."""
    return str(problem).split("\n")[0].replace(f"{folder}/", "")


def mappings(*topics: str) -> str:
    """An MQTT source whose mappings all bring the signal `power`."""
    lines = "".join(f"      - {{topic: '{topic}', signals: [{{signal: power}}]}}\n" for topic in topics)
    return f"sources:\n  - kind: mqtt\n    name: m\n    url: mqtt://h\n    mappings:\n{lines}"


def test_machines_that_topics_name_may_share_a_signal(tmp_path: Path) -> None:
    """Two templates can bring the same signal of different machines; one machine cannot bring it twice."""
    assert [] == problems(tmp_path, mappings("a/{machine}", "b/{machine}"))

    fixed = mappings("a", "b").replace("signals", "machine: m1, signals")
    assert ["plant.yaml:9:54: the tag m1/power is there twice, first in plant.yaml:8:54"] == problems(tmp_path, fixed)


def test_one_typo_does_not_hide_the_rest(tmp_path: Path) -> None:
    """Sources that are right in themselves are compared even when another part is wrong."""
    text = "stoer: 1\nsources:\n" + "".join(
        f"  - {{kind: opcua, name: m{n}, url: 'opc.tcp://h', tags: [{{machine: a, signal: s, node: i=1}}]}}\n"
        for n in (1, 2)
    )

    found = problems(tmp_path, text)

    assert ["plant.yaml:3:1: 'stoer' is not a setting here"] == found[:1]
    assert "the tag a/s is there twice" in found[1]


def test_a_secret_that_everyone_can_read_is_a_warning(tmp_path: Path) -> None:
    """The agent starts, and says which file to close."""
    token = tmp_path / "token"
    token.write_text("x")
    sink = "sinks: [{kind: influxdb, url: 'http://h', org: o, bucket: b, token_file: token}]\n"
    token.chmod(0o644)
    assert ["plant.yaml:3:74: warning: everyone on this computer can read token"] == problems(tmp_path, sink)

    token.chmod(0o600)
    assert [] == problems(tmp_path, sink)


@pytest.mark.parametrize(
    ("listen", "warned"),
    [("127.0.0.1:1", False), ("[::1]:1", False), ("localhost:1", False), ("0.0.0.0:1", True), ("[::]:1", True)],
)
def test_a_page_for_everyone_is_an_error(listen: str, warned: bool, tmp_path: Path) -> None:
    """The page has no password, so serving it beyond this computer needs allow_remote."""
    found = problems(tmp_path, f"dashboard: {{listen: '{listen}'}}\n")

    assert warned == any("the page has no password" in problem for problem in found)


def test_too_little_space_is_a_warning(tmp_path: Path) -> None:
    """The agent starts, and drops its oldest values when the disk is full."""
    found = problems(tmp_path, "store: {quota_mb: 1000000000}\n")

    assert "the store may take 1000000000 MB" in found[0]


@pytest.mark.parametrize("named", ["closed", "closed/data", "closed/data/deep", "link", "link/data"])
def test_a_data_folder_that_is_closed_to_this_account_is_a_warning(named: str) -> None:
    """The service's account may enter it; a link into a closed folder is what systemd makes for a DynamicUser."""
    with open_folder() as folder, closed(folder / "closed"):
        folder.joinpath("link").symlink_to("closed/kept")
        folder.joinpath("plant.yaml").write_text(f"plant: p\ndata_dir: {named}\n")
        folder.joinpath("plant.yaml").chmod(0o644)
        with as_nobody():
            [warning] = check(folder / "plant.yaml")[1]

    shown = named.split("/")[0]
    assert f"plant.yaml:2:11: warning: this account cannot write to {shown}" == said(warning, folder)


@pytest.mark.parametrize(("named", "blamed"), [("file", "file"), ("file/data", "file"), ("nowhere", "nowhere")])
def test_a_data_folder_that_can_never_be_is_an_error(named: str, blamed: str, tmp_path: Path) -> None:
    """Where a file is in the way, or a link leads nowhere, no account can keep data."""
    tmp_path.joinpath("file").touch()
    tmp_path.joinpath("nowhere").symlink_to("gone")
    tmp_path.joinpath("plant.yaml").write_text(f"plant: p\ndata_dir: {named}\n")

    with pytest.raises(ConfigErrors) as caught:
        check(tmp_path / "plant.yaml")

    [problem] = caught.value.problems
    assert f"plant.yaml:2:11: {blamed} is not a folder" == said(problem, tmp_path)


def test_a_block_without_lines_is_the_default(tmp_path: Path) -> None:
    """Commenting out every line of a block or a list does not break the file."""
    tmp_path.joinpath("plant.yaml").write_text("plant: p\nstore:\nsources:\nsinks:\nlog:\ndashboard:\n")

    config = load(tmp_path / "plant.yaml")

    assert (2000, (), "info") == (config.store.quota_mb, config.sources, config.log.level)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the command is started from makes no difference."""
    tmp_path.joinpath("sub").mkdir()
    tmp_path.joinpath("sub", "plant.yaml").write_text(HEAD)
    monkeypatch.chdir(tmp_path)

    assert tmp_path / "sub" / "data" == load(Path("sub/plant.yaml")).data_dir


def test_the_agents_own_parts_are_reserved() -> None:
    """What reads the log or stands on the board under a name of its own is known to the check."""
    assert {Latest.name, HistorySink.name, CarbonSink.name, Heartbeat.name} <= set(RESERVED)


@pytest.mark.parametrize("name", ["a\ud800", "a\x85", "a\u2028", "a\x00", " a"])
def test_one_rule_holds_for_every_name(name: str) -> None:
    """Halves of surrogate pairs, controls and line separators can be kept by no log and no database."""
    assert "remove it" in trouble_with_name(name)


def test_a_certificate_that_is_not_checked_is_a_warning(tmp_path: Path) -> None:
    """`verify_tls: false` hands the token to whoever sits between."""
    tmp_path.joinpath("token").touch(mode=0o600)
    tmp_path.joinpath("token").write_text("x")
    sink = "sinks:\n  - {kind: influxdb, url: 'https://h', org: o, bucket: b, token_file: token, verify_tls: false}\n"

    [warning] = problems(tmp_path, sink)

    assert warning.startswith("plant.yaml:4:")
    assert "the server's certificate is not checked" in warning


MQTT = "kind: mqtt, url: mqtts://h, mappings: [{topic: '{machine}', signals: [{signal: power}]}]"
OPCUA = "kind: opcua, url: 'opc.tcp://h', tags: [{machine: m, signal: s, node: i=1}]"


@pytest.mark.parametrize(
    "source",
    [
        f"{MQTT}, tls: {{certificate_file: own.der, private_key_file: own.key}}",
        f"{OPCUA}, user_certificate: own.der, user_private_key: own.key, security: {{policy: Basic256Sha256}}",
    ],
    ids=["mqtt", "opcua"],
)
def test_private_keys_are_secrets(source: str, tmp_path: Path) -> None:
    """They are found in secrets/, may be bytes, and one that everyone can read is said."""
    key = tmp_path / "secrets" / "own.key"
    key.parent.mkdir()
    key.write_bytes(b"\x30\x82\xff")
    key.chmod(0o644)
    tmp_path.joinpath("own.der").write_bytes(b"\x30\x82")

    [warning] = problems(tmp_path, f"sources: [{{name: m, {source}}}]\n")

    assert "everyone on this computer can read secrets/own.key" in warning


def test_a_ledger_without_its_folder_is_a_warning(tmp_path: Path) -> None:
    """A share that is not mounted yet keeps nobody from checking the rest."""
    text = "sources:\n  - {kind: ledger, name: l, folder: drop}\n"

    assert ["plant.yaml:4:37: warning: the folder drop is not there"] == problems(tmp_path, text)
    (tmp_path / "drop").mkdir()
    assert [] == problems(tmp_path, text)
