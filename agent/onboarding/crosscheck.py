"""What only the whole file can tell: names and tags used twice, names that no database takes, files that are not there.

Each check yields findings with the way to the value; `agent.config` knows where that stands in the files.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from agent.onboarding.problems import Loc, Severity
from collectors.names import RESERVED, trouble_with_name
from collectors.secrets import SecretFile, SecretUnreadable
from collectors.settings import Declared
from collectors.units import cannot_count

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # halves of characters cannot be stored
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


class Finding(NamedTuple):
    """Something wrong at `loc`; `other` is the place of the first one, where two are one too many."""

    loc: Loc
    what: str
    todo: str
    severity: Severity = Severity.ERROR
    other: Loc = ()


class NameRules(NamedTuple):
    """What the databases cannot take: each says why a name will not do, "" where it will."""

    signal: Callable[[str], str]
    tag: Callable[[str], str]  # of areas, lines and machines


def crosscheck(parts: Mapping[Loc, BaseModel], rules: NameRules) -> Iterator[Finding]:
    """Every finding in the parts of a configuration; parts that did not validate are simply not there."""
    yield from _names(parts)
    yield from _tags(_declared(parts), rules)
    for at, part in parts.items():
        yield from _files(at, part)


def _names(parts: Mapping[Loc, BaseModel]) -> Iterator[Finding]:
    first: dict[str, Loc] = {}
    for at, part in parts.items():
        name = getattr(part, "name", None)
        if not isinstance(name, str):
            continue
        if trouble := trouble_with_name(name):
            yield from _said((*at, "name"), f"the name {trouble}")
        if name in RESERVED:
            yield Finding(
                (*at, "name"), f"the name '{name}' is that of a part of the agent itself", "choose another name"
            )
        if name in first:
            yield Finding(
                (*at, "name"),
                f"the name '{name}' is used twice",
                "give each source and each sink a name of its own",
                other=(*first[name], "name"),
            )
        first.setdefault(name, at)


def _declared(parts: Mapping[Loc, BaseModel]) -> Iterator[tuple[Loc, Declared]]:
    for at, part in parts.items():
        declared = getattr(part, "declared", None)
        if declared is not None:
            for tag in declared():
                yield (*at, *tag.where), tag


def _tags(declared: Iterable[tuple[Loc, Declared]], rules: NameRules) -> Iterator[Finding]:
    first: dict[tuple[object, ...], Loc] = {}
    for at, tag in declared:
        who = (tag.area, tag.line, tag.machine, tag.signal)
        is_template = any(_PLACEHOLDER.search(part) for part in who)
        key = (*who, at[:4] if is_template else ())  # one mapping's machines are unknown to the others
        if first.setdefault(key, at) != at:
            shown = "/".join(part for part in who if part)
            yield Finding(
                (*at, "signal"),
                f"the tag {shown} is there twice",
                "remove one, or give it another signal, machine, line or area",
                other=(*first[key], "signal"),
            )
        for role in ("area", "line", "machine", "signal"):
            name = getattr(tag, role)
            trouble = _trouble_with_name(role, name) or (rules.signal if role == "signal" else rules.tag)(name)
            yield from _said((*at, role), trouble)
        if tag.kind == "counter":
            yield from _said((*at, "unit"), cannot_count(tag.unit))


def _said(at: Loc, trouble: str) -> Iterator[Finding]:
    """A finding from "what is wrong; what to do"; none from an empty text."""
    if trouble:
        what, _, todo = trouble.partition("; ")
        yield Finding(at, what, todo)


def _trouble_with_name(role: str, name: str) -> str:
    """Why no one should call something so, for people; empty where it is fine."""
    if trouble := trouble_with_name(name):
        return f"the {role} {trouble}"
    if role == "signal" and name.startswith("_"):
        return f"the signal '{name}' begins with '_', which InfluxDB keeps for itself; choose another name"
    if role == "signal" and name.endswith("_quality"):
        return f"the signal '{name}' is called as Raceway calls the quality of a value; choose another name"
    return ""


def _files(at: Loc, part: BaseModel) -> Iterator[Finding]:
    """The files that the settings name: secrets, certificates, keys."""
    for name in type(part).model_fields:
        value, here = getattr(part, name), (*at, name)
        match value:
            case SecretFile():
                yield from _secret(here, value, is_text="private_key" not in name)
            case False if name == "verify_tls":
                yield Finding(
                    here,
                    "whoever sits between can read the token and every value: the server's certificate is not checked",
                    "remove the line, and name the plant's own authority: ca_file",
                    Severity.WARNING,
                )
            case Path() if name.endswith(("certificate", "certificate_file", "ca_file", "key_file")):
                yield from _certificate(here, value)
            case Path() if name == "folder" and not value.is_dir():
                yield Finding(
                    here,
                    f"the folder {value} is not there",
                    "make it, or mount the share; nothing is read before",
                    Severity.WARNING,
                )
            case BaseModel():
                yield from _files(here, value)


def _secret(at: Loc, secret: SecretFile, *, is_text: bool) -> Iterator[Finding]:
    try:
        if is_text:
            secret.read()
        else:
            secret.path.read_bytes()
    except SecretUnreadable as unreadable:
        yield from _said(at, str(unreadable))
    except OSError as error:
        yield Finding(
            at, f"the key file {secret.path} cannot be read ({error.strerror})", "check the name and its rights"
        )
    else:
        if secret.is_exposed():
            yield Finding(
                at,
                f"everyone on this computer can read {secret.path}",
                f"run 'chmod 600 {secret.path}', and let it belong to the account that runs Raceway",
                Severity.WARNING,
            )


def _certificate(at: Loc, path: Path) -> Iterator[Finding]:
    try:
        content = path.read_bytes()
    except OSError as error:
        yield Finding(at, f"the file {path} cannot be read ({error.strerror})", "check the name and its rights")
        return
    if not content.startswith((b"\x30\x82", b"\x30\x81")) and b"-----BEGIN " not in content:
        yield Finding(at, f"{path} is neither PEM nor DER", "export the certificate again as .pem or .der")


def name_of_plant(name: str, rules: NameRules) -> Iterator[Finding]:
    """Whether every value can carry the name."""
    trouble = trouble_with_name(name)
    yield from _said(("plant",), f"the plant {trouble}" if trouble else rules.tag(name))


def data_dir(path: Path, *, quota_mb: float) -> Iterator[Finding]:
    """Whether the log can be kept at `path`: mostly warnings, another account may run the agent."""
    nearest = next(folder for folder in (path, *path.parents) if os.path.lexists(folder) or folder == folder.parent)
    try:
        is_folder = stat.S_ISDIR(nearest.stat().st_mode)
        may_write = is_folder and os.access(nearest, os.W_OK | os.X_OK)
    except PermissionError:  # a link into a folder that is closed to us
        is_folder, may_write = True, False
    except OSError:  # a link that leads nowhere
        is_folder = may_write = False
    if not is_folder:
        yield Finding(("data_dir",), f"{nearest} is not a folder", "name a folder; it is made where it is missing")
    elif not may_write:
        yield Finding(
            ("data_dir",),
            f"this account cannot write to {nearest}",
            "fine if the service's account can; else name another folder, or change its owner",
            Severity.WARNING,
        )
    elif (free_mb := shutil.disk_usage(nearest).free / 1e6) < quota_mb:
        yield Finding(
            ("data_dir",),
            f"the disk of {path} has {free_mb:.0f} MB free, the store may take {quota_mb:.0f} MB",
            "free some space, or set a smaller store: quota_mb",
            Severity.WARNING,
        )
