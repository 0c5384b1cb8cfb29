"""Secrets live in files, never in the configuration, never in a log: `token_file`, `password_file` and the like.

A bare name (no slash) is first looked for among the service's systemd credentials ($CREDENTIALS_DIRECTORY), then in
the folder `secrets` beside the configuration file, then beside that file itself. The content is read when a connection
is made, so that a rotated secret needs no restart.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MAX_SECRET_BYTES = 64 * 1024


class SecretUnreadable(Exception):
    """The secret cannot be had; the text says for people which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """Where a secret is kept. Use it as a pydantic field type; its text form is the path, never the content."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> str:
        """The secret without the line end after it; raises SecretUnreadable."""
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_SECRET_BYTES + 1)
        except FileNotFoundError:
            raise SecretUnreadable(
                f"the secret file {self.path} does not exist; write the secret into it, then 'chmod 600 {self.path}'"
            ) from None
        except OSError as error:
            raise SecretUnreadable(
                f"the secret file {self.path} cannot be read; let the account that runs Raceway read it "
                f"({error.strerror})"
            ) from None
        if len(content) > MAX_SECRET_BYTES:
            raise SecretUnreadable(f"{self.path} is longer than 64 KiB; that is no secret file, name another one")
        try:
            secret = content.decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise SecretUnreadable(f"{self.path} is not UTF-8 text; write the secret as plain text") from None
        if not secret.strip():
            raise SecretUnreadable(f"the secret file {self.path} is empty; write the secret into it")
        return secret

    def is_exposed(self) -> bool:
        """Whether every account on this computer may read the file."""
        try:
            return bool(self.path.stat().st_mode & stat.S_IROTH)
        except OSError:
            return False

    @classmethod
    def find(cls, name: str, *, directory: Path, environ: Mapping[str, str] = os.environ) -> SecretFile:
        """The secret that is called `name` in a configuration file that lies in `directory`."""
        written = directory / Path(name).expanduser()
        if "/" in name:
            return cls(written)
        places = [directory / "secrets" / name]
        if credentials := environ.get("CREDENTIALS_DIRECTORY"):
            # systemd names the files of a whole folder, LoadCredential=secrets:…, with the folder in front
            places = [Path(credentials) / name, Path(credentials) / f"secrets_{name}", *places]
        places.append(written)
        hidden = [place for place in places if _is_hidden(place)]  # reading it will say so
        return cls(next((place for place in places if os.path.exists(place)), next(iter(hidden), written)))  # noqa: PTH110 - Path.exists raises

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept a SecretFile or a path as text; `context={"directory": Path}` says what it is relative to."""

        def build(value: object, info: ValidationInfo) -> SecretFile:
            if isinstance(value, SecretFile):
                return value
            if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
                raise ValueError("the path of a file that holds the secret is wanted here")
            return cls.find(str(value), directory=(info.context or {}).get("directory", Path()))

        return core_schema.with_info_plain_validator_function(
            build, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A path, for editors."""
        return {"type": "string", "format": "path", "minLength": 1}


def _is_hidden(path: Path) -> bool:
    """Whether a closed folder keeps this account from seeing if the file is there."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, PermissionError)
    return False
