"""node-opcua as a server in a child process: an OPC UA stack that shares no code with asyncua."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.servers.opcua import HERE, Child
from tests.servers.ports import free_port

MODULES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raceway" / "node-opcua"
CLIENT_URI = "urn:raceway:test"


class Keys(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: Path
    private_key: Path


@contextmanager
def node_opcua_server(pki: Path, **options: Any) -> Iterator[Child]:
    """See opcua_node/server.js for the options; `pki` is a folder of its own for its certificates."""
    command = ["node", str(HERE / "opcua_node" / "server.js")]
    child = Child(command, port=free_port(), cwd=pki, modules=str(MODULES), pki=str(pki / "pki"), **options)
    try:
        yield child
    finally:
        child.kill()


def make_keys(folder: Path) -> Keys:
    """An application certificate as an OPC UA server wants it of its clients."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Raceway test")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(True, True, True, True, False, True, False, False, False)
    names = [
        x509.UniformResourceIdentifier(CLIENT_URI),
        x509.DNSName("localhost"),
        x509.IPAddress(IPv4Address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    keys = Keys(folder / "own.pem", folder / "own_key.pem")
    keys.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    keys.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return keys
