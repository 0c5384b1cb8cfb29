"""`raceway trust`: see which certificates OPC UA servers show, compare them with the machines, and approve them."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click

from agent.commands import FAILED, OK, WRONG
from agent.commands.check import loaded
from agent.commands.table import printable
from collectors.opcua.config import OpcUaConfig
from collectors.opcua.pki import Pki, Shown, application_uri, fingerprint, validity
from collectors.opcua.probe import probe
from collectors.opcua.trust import own_pair

ENOUGH_DIGITS = 16  # of a fingerprint: nobody makes a second certificate that begins with the same 64 bits by chance


def manage_trust(path: Path, *, approve: Sequence[str], as_json: bool, timeout_s: float) -> int:
    """Ask every secured server for its certificate, list all, and approve those that are named by fingerprint."""
    config = loaded(path, as_json=as_json)
    logging.disable(logging.CRITICAL)
    secured = [one for one in config.sources if isinstance(one, OpcUaConfig) and one.security.policy != "None"]
    if not secured:
        click.echo("no OPC UA source has security: with a policy, so that no certificate is used", err=True)
        return WRONG
    folders: dict[Path, list[OpcUaConfig]] = defaultdict(list)
    for source in secured:
        assert source.security.pki is not None  # the configuration fills it in
        folders[source.security.pki].append(source)
    answers = asyncio.run(_ask(secured, timeout_s))
    pkis = [Pki(folder) for folder in folders]
    if approve:
        return max(_approve(pkis, wanted) for wanted in approve)
    if as_json:
        click.echo(json.dumps({"folders": [_as_json(pki, folders[pki.folder][0]) for pki in pkis], "sources": answers}))
    else:
        for pki in pkis:
            click.echo("\n".join(_lines(pki, folders[pki.folder][0])))
        click.echo("\n".join(["", *(f"{name}: {printable(answer)}" for name, answer in answers.items())]))
    return OK if not any(pki.rejected() for pki in pkis) else FAILED


async def _ask(sources: Sequence[OpcUaConfig], timeout_s: float) -> dict[str, str]:
    """Let every server show its certificate; a new one is in the folder afterwards. What each try came to."""
    tries = [probe(one.model_copy(update={"tags": ()}), plant="", timeout_s=timeout_s) for one in sources]
    found = await asyncio.gather(*tries)
    return {one.name: one.trouble or "connected, its certificate is trusted" for one in found}


def _approve(pkis: Sequence[Pki], wanted: str) -> int:
    digits = re.sub(r"[^0-9A-F]", "", wanted.upper())
    found = [(pki, one) for pki in pkis for one in pki.rejected() if _digits(one).startswith(digits)]
    if len(digits) < ENOUGH_DIGITS:
        click.echo(f"{wanted} is too short; give at least {ENOUGH_DIGITS} digits of the fingerprint", err=True)
        return WRONG
    if not found:
        if any(_digits(one).startswith(digits) for pki in pkis for one in pki.trusted()):
            click.echo(f"{wanted} is trusted already")
            return OK
        click.echo(f"no server showed a certificate {wanted}; run this without --approve to see them", err=True)
        return FAILED
    for pki, one in found:
        click.echo(f"trusted: {one.certificate.subject.rfc4514_string()}, {pki.approve(one)}")
    click.echo("an agent that is running connects within a minute")
    return OK


def _digits(one: Shown) -> str:
    return fingerprint(one.certificate).replace(":", "")


def _lines(pki: Pki, source: OpcUaConfig) -> list[str]:
    ours = own_pair(source.security).certificate
    lines = [
        f"{pki.folder}",
        "",
        "our own, to be approved on each machine:",
        f"  {fingerprint(ours)}",
        f"  {ours.subject.rfc4514_string()}, {application_uri(ours)}, {validity(ours)}",
    ]
    for title, shown in (("trusted", pki.trusted()), ("not trusted yet", pki.rejected())):
        lines += ["", f"{title}:" if shown else f"{title}: none"]
        lines += [line for one in shown for line in _described(one)]
    if pki.rejected():
        lines += [
            "",
            "compare the fingerprint with the one on the machine, then: raceway trust CONFIG --approve FINGERPRINT",
        ]
    return lines


def _described(one: Shown) -> list[str]:
    came = f", shown by {one.source} at {one.url}, first on {one.seen}" if one.source else ""
    subject = printable(one.certificate.subject.rfc4514_string())
    issuer = printable(one.certificate.issuer.rfc4514_string())
    by = "" if issuer == subject else f", issued by {issuer}"
    return [f"  {fingerprint(one.certificate)}", f"  {subject}{by}, {validity(one.certificate)}{printable(came)}"]


def _as_json(pki: Pki, source: OpcUaConfig) -> dict[str, object]:
    ours = own_pair(source.security).certificate

    def listed(shown: Sequence[Shown]) -> list[dict[str, str]]:
        return [
            {
                "fingerprint": fingerprint(one.certificate),
                "subject": one.certificate.subject.rfc4514_string(),
                "issuer": one.certificate.issuer.rfc4514_string(),
                "not_before": one.certificate.not_valid_before_utc.isoformat(),
                "not_after": one.certificate.not_valid_after_utc.isoformat(),
                "source": one.source,
                "url": one.url,
                "seen": one.seen,
            }
            for one in shown
        ]

    own = listed([Shown(ours, pki.folder)])[0] | {"application_uri": application_uri(ours)}
    return {"folder": str(pki.folder), "own": own, "trusted": listed(pki.trusted()), "rejected": listed(pki.rejected())}
