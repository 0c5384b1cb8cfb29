"""Secrets come from files, and never show."""

from pathlib import Path

import pytest

from collectors.secrets import SecretFile, SecretUnreadable
from collectors.settings import Settings
from tests.accounts import as_nobody, closed, open_folder


class Account(Settings):
    """Settings with a secret."""

    token_file: SecretFile


def test_the_line_end_is_no_part_of_the_secret(tmp_path: Path) -> None:
    """`echo secret > file` and a Windows editor give the same secret; blanks inside count."""
    path = tmp_path / "token"
    for content in (b"a b=", b"a b=\n", b"a b=\r\n", b"\xef\xbb\xbfa b=\n"):
        path.write_bytes(content)

        assert "a b=" == SecretFile(path).read()


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """Neither the settings nor their dump nor an error hold the content."""
    tmp_path.joinpath("token").write_text("hidden-thing")
    account = Account.model_validate({"token_file": "token"}, context={"directory": tmp_path})

    assert "hidden-thing" == account.token_file.read()
    assert "hidden-thing" not in f"{account!r}{account.model_dump()}{account.model_dump_json()}{account.token_file}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 70_000, "longer than 64 KiB")],
    ids=["missing", "empty", "binary", "huge"],
)
def test_an_unusable_secret_says_why(content: bytes | None, reason: str, tmp_path: Path) -> None:
    """What is wrong with a secret's file is said with its path and without its content."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SecretUnreadable, match=reason) as caught:
        SecretFile(path).read()

    assert str(path) in str(caught.value)


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    """An unreadable path is explained, not raised as it comes."""
    with pytest.raises(SecretUnreadable, match="cannot be read"):
        SecretFile(tmp_path).read()


def test_a_bare_name_is_looked_for_where_services_keep_secrets(tmp_path: Path) -> None:
    """A systemd credential wins over the folder `secrets`, and that over the configuration's own folder."""
    credentials, secrets = tmp_path / "credentials", tmp_path / "secrets"
    credentials.mkdir()
    secrets.mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    found = []
    for path in (tmp_path / "t", secrets / "t", credentials / "secrets_t", credentials / "t"):
        path.touch()
        found.append(SecretFile.find("t", directory=tmp_path, environ=environ).path == path)

    assert [True, True, True, True] == found
    assert tmp_path / "./t" == SecretFile.find("./t", directory=tmp_path, environ=environ).path


def test_an_open_secret_is_noticed(tmp_path: Path) -> None:
    """A file that everyone may read is exposed."""
    path = tmp_path / "token"
    path.touch()
    seen = []
    for mode in (0o600, 0o640, 0o644):
        path.chmod(mode)
        seen.append(SecretFile(path).is_exposed())

    assert [False, False, True] == seen


def test_a_closed_folder_is_no_traceback() -> None:
    """A secret in a folder that this account may not enter is named there; one that can be seen goes first."""
    with open_folder() as folder, closed(folder / "secrets"), as_nobody():
        hidden = SecretFile.find("kept", directory=folder)
        with pytest.raises(SecretUnreadable, match="let the account that runs Raceway read it"):
            hidden.read()

        assert folder / "secrets" / "kept" == hidden.path

    with open_folder() as folder, closed(folder / "secrets"):
        folder.joinpath("token").touch()
        with as_nobody():
            assert folder / "token" == SecretFile.find("token", directory=folder).path
