"""Keys and certificates for SignAndEncrypt: the server's and one that every client uses."""

from __future__ import annotations

from pathlib import Path

from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

URIS = {"server": "urn:raceway:benchmark:server", "client": "urn:telegraf:gopcua:client"}


def write_keys(folder: Path) -> None:
    """server.der, server.pem, client.der, client.pem (the keys are the .pem) and client-certificate.pem."""
    for name, uri in URIS.items():
        key = generate_private_key()
        names = [x509.UniformResourceIdentifier(uri), x509.DNSName("localhost")]
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        certificate = generate_self_signed_app_certificate(key, f"benchmark {name}", {}, names, extended=uses)
        (folder / f"{name}.pem").write_bytes(dump_private_key_as_pem(key))
        (folder / f"{name}.pem").chmod(0o600)
        (folder / f"{name}.der").write_bytes(certificate.public_bytes(Encoding.DER))
        (folder / f"{name}-certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
