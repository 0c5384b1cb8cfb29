"""Certificates: read ours, and compare the server's with what the configuration says before anything secret is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import CertProperties, x509_from_der
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from collectors.opcua.config import OpcUaConfig, Security
from collectors.opcua.explain import Untrusted


def read_certificate(path: Path) -> x509.Certificate:
    """A certificate, PEM or DER by its content. Raises OSError, or Untrusted for a file that is none."""
    content = path.read_bytes()
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise Untrusted(f"{path} is no certificate (PEM or DER); check the file ({error})") from error


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the whole certificate, as UaExpert and openssl show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def application_uri(certificate: x509.Certificate) -> str:
    """The URI that a server compares with the one we say we are; empty where the certificate has none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


async def secure(client: Client, config: OpcUaConfig) -> None:
    """Set the client's policy and certificates, after the server has shown the certificate that is expected.

    Raises Untrusted where it shows another one, or where the configuration names none.
    """
    security = config.security
    if security.policy == "None":
        return
    assert security.certificate is not None
    assert security.private_key is not None
    ours = await asyncio.to_thread(read_certificate, security.certificate)
    key = await asyncio.to_thread(security.private_key.path.read_bytes)
    theirs = await _server_certificate(client, security)
    client.application_uri = application_uri(ours) or client.application_uri
    await client.set_security(
        getattr(security_policies, f"SecurityPolicy{security.policy}"),
        CertProperties(ours.public_bytes(serialization.Encoding.DER), "der"),
        CertProperties(key, "pem" if b"-----BEGIN" in key else "der"),
        server_certificate=CertProperties(theirs.public_bytes(serialization.Encoding.DER), "der"),
        mode=ua.MessageSecurityMode[security.mode],
    )


async def _server_certificate(client: Client, security: Security) -> x509.Certificate:
    if security.server_certificate is not None:
        return await asyncio.to_thread(read_certificate, security.server_certificate)
    shown = await _shown_certificate(client, security)
    mark = fingerprint(shown)
    if not security.server_fingerprint:
        raise Untrusted(
            "the server's certificate is not yet trusted; compare this fingerprint with the one on the machine, then "
            f"write it into the configuration: security: {{server_fingerprint: '{mark}'}} "
            f"(issued to {shown.subject.rfc4514_string()}, valid until {shown.not_valid_after_utc:%Y-%m-%d})"
        )
    if mark.replace(":", "") != security.server_fingerprint.upper().replace(":", "").replace(" ", ""):
        raise Untrusted(
            "the server shows another certificate than the one that is trusted; if it was renewed on the machine, "
            f"write the new fingerprint into security.server_fingerprint, else find out who answers ({mark}, issued to "
            f"{shown.subject.rfc4514_string()})"
        )
    return shown


async def _shown_certificate(client: Client, security: Security) -> x509.Certificate:
    """The certificate of the endpoint with the wanted policy and mode."""
    endpoints = await client.connect_and_get_server_endpoints()
    wanted = getattr(security_policies, f"SecurityPolicy{security.policy}").URI
    for endpoint in endpoints:
        if endpoint.SecurityPolicyUri == wanted and endpoint.SecurityMode == ua.MessageSecurityMode[security.mode]:
            certificate: x509.Certificate | None = x509_from_der(endpoint.ServerCertificate)  # type: ignore[no-untyped-call]
            if certificate is not None:
                return certificate
    offered = sorted({f"{one.SecurityPolicyUri.rpartition('#')[2]} {one.SecurityMode.name}" for one in endpoints})
    raise Untrusted(
        f"the server does not offer {security.policy} {security.mode}; it offers: {', '.join(offered)}. "
        "Choose one of those in security:, or switch the policy on at the machine"
    )
