"""Show who we are, and compare the server's certificate with what was approved before anything secret is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import CertProperties
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from collectors.opcua.config import OpcUaConfig, Security
from collectors.opcua.explain import Untrusted
from collectors.opcua.pki import Pki, application_uri, expiring, fingerprint, first_of, load_certificate


class Pair(NamedTuple):
    """A certificate and its private key, as they stand in the files."""

    certificate: x509.Certificate
    key: CertProperties


def read_certificate(path: Path) -> x509.Certificate:
    """A certificate, PEM or DER by its content. Raises OSError, or Untrusted for a file that is none."""
    try:
        return load_certificate(path.read_bytes())
    except ValueError as error:
        raise Untrusted(f"{path} is no certificate (PEM or DER); check the file ({error})") from error


def read_pair(certificate: Path, key: Path) -> Pair:
    """Raises what `read_certificate` raises."""
    content = key.read_bytes()
    return Pair(read_certificate(certificate), CertProperties(content, "pem" if b"-----BEGIN" in content else "der"))


def own_pair(security: Security) -> Pair:
    """Our certificate and key: the configured ones, else those in the folder of certificates, made where missing."""
    if security.certificate is not None and security.private_key is not None:
        return read_pair(security.certificate, security.private_key.path)
    if security.pki is None:
        raise Untrusted("there is no certificate of ours; set security.certificate and security.private_key")
    return read_pair(*Pki(security.pki).own())


async def secure(client: Client, config: OpcUaConfig) -> list[str]:
    """Set the client's policy and certificates, after the server has shown a certificate that is approved.

    Returns what is to be said about certificates that expire. Raises Untrusted where the server shows another one.
    """
    security = config.security
    if security.policy == "None":
        return []
    ours = await asyncio.to_thread(own_pair, security)
    theirs = await _server_certificate(client, config)
    client.application_uri = application_uri(ours.certificate) or client.application_uri
    await client.set_security(
        getattr(security_policies, f"SecurityPolicy{security.policy}"),
        CertProperties(ours.certificate.public_bytes(serialization.Encoding.DER), "der"),
        ours.key,
        server_certificate=CertProperties(theirs.public_bytes(serialization.Encoding.DER), "der"),
        mode=ua.MessageSecurityMode[security.mode],
    )
    return [said for said in (expiring(ours.certificate, "our"), expiring(theirs, "the server's")) if said]


async def _server_certificate(client: Client, config: OpcUaConfig) -> x509.Certificate:
    security = config.security
    if security.server_certificate is not None:
        return await asyncio.to_thread(read_certificate, security.server_certificate)
    shown = await shown_certificate(client, security)
    mark = fingerprint(shown)
    whose = f"issued to {shown.subject.rfc4514_string()}, valid until {shown.not_valid_after_utc:%Y-%m-%d}"
    if security.server_fingerprint:
        if mark.replace(":", "") == security.server_fingerprint.upper().replace(":", "").replace(" ", ""):
            return shown
        raise Untrusted(
            "the server shows another certificate than the one that is trusted; if it was renewed on the machine, "
            f"write the new fingerprint into security.server_fingerprint, else find out who answers ({mark}, {whose})"
        )
    why = await asyncio.to_thread(_why_not_trusted, shown, config)
    if why:
        raise Untrusted(
            f"the server's certificate is not trusted: {why}; compare this fingerprint with the one on the machine, "
            f"then run: raceway trust CONFIG --approve {mark} ({whose})"
        )
    return shown


def _why_not_trusted(certificate: x509.Certificate, config: OpcUaConfig) -> str:
    """Ask the folder of certificates, and leave an unknown one there to be approved."""
    if config.security.pki is None:
        return "nobody has approved it"
    pki = Pki(config.security.pki)
    why = pki.why_not_trusted(certificate)
    if why:
        pki.reject(certificate, source=config.name, url=config.url)
    return why


async def shown_certificate(client: Client, security: Security) -> x509.Certificate:
    """The certificate of the endpoint with the wanted policy and mode; nothing secret is sent for it.

    Raises Untrusted where there is no such endpoint: a weaker one is never taken instead.
    """
    endpoints = await client.connect_and_get_server_endpoints()
    wanted = getattr(security_policies, f"SecurityPolicy{security.policy}").URI
    for endpoint in endpoints:
        if endpoint.SecurityPolicyUri == wanted and endpoint.SecurityMode == ua.MessageSecurityMode[security.mode]:
            try:
                return load_certificate(first_of(endpoint.ServerCertificate or b""))
            except ValueError as error:
                raise Untrusted(
                    f"the server's certificate cannot be read; renew it on the machine ({error})"
                ) from error
    offered = sorted({f"{one.SecurityPolicyUri.rpartition('#')[2]} {one.SecurityMode.name}" for one in endpoints})
    raise Untrusted(
        f"the server does not offer {security.policy} {security.mode}; it offers: {', '.join(offered)}. "
        "Choose one of those in security:, or switch the policy on at the machine"
    )
