"""The folder of certificates: what we are, whom we trust, whom we saw and do not trust yet.

    own/       our certificate and its key, made at the first need
    trusted/   certificates of servers, or of authorities, that somebody has approved
    issuers/   authorities that only complete a chain, and are not trusted by themselves
    crl/       what authorities have revoked
    rejected/  what servers showed and nobody has approved; beside each a note where it came from

Files are DER or PEM, read anew for every connection: approving a certificate, or one that was renewed, needs no
restart. Nothing is trusted by itself (OPC 10000-12 §7.8).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

OWN_DAYS = 20 * 365  # as long as a machine stands: an approval is a walk to each of them
SOON_DAYS = 60
KEY_BITS = 2048  # what every policy of ours and every old controller takes
MOST_LINKS = 8
MOST_REJECTED = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate in one of the folders, for people."""

    certificate: x509.Certificate
    path: Path
    source: str = ""  # the configured source that met it
    url: str = ""
    seen: str = ""  # when it was met first, ISO 8601


@dataclass(frozen=True, slots=True)
class Pki:
    """The folder, as it is now."""

    folder: Path

    def own(self) -> tuple[Path, Path]:
        """Our certificate and our key, made if there are none yet. Raises OSError."""
        certificate, key = self.folder / "own" / "raceway.der", self.folder / "own" / "raceway.pem"
        if not (certificate.exists() and key.exists()):
            host = socket.gethostname() or "localhost"
            made, private = make_own(host, f"urn:{host}:raceway")
            self._write(key, private, mode=0o600)
            self._write(certificate, made.public_bytes(serialization.Encoding.DER))
        return certificate, key

    def why_not_trusted(self, certificate: x509.Certificate, *, now: datetime | None = None) -> str:
        """Why this certificate of a server is not trusted; empty where it is."""
        trusted = [one.certificate for one in self.trusted()]
        issuers = [one.certificate for one in self._in("issuers")]
        crls = list(self._crls())
        return why_not(certificate, trusted=trusted, issuers=issuers, crls=crls, now=now or datetime.now(UTC))

    def reject(self, certificate: x509.Certificate, *, source: str, url: str) -> None:
        """Remember a certificate that nobody has approved yet, and where it came from. Raises OSError."""
        path = self.folder / "rejected" / f"{_file_name(certificate)}.der"
        if not path.exists() and len(self.rejected()) < MOST_REJECTED:
            note = {"source": source, "url": url, "seen": datetime.now(UTC).isoformat(timespec="seconds")}
            self._write(path.with_suffix(".json"), json.dumps(note).encode())
            self._write(path, certificate.public_bytes(serialization.Encoding.DER))

    def approve(self, shown: Shown) -> Path:
        """Trust a rejected certificate from now on. Raises OSError."""
        path = self.folder / "trusted" / f"{_file_name(shown.certificate)}.der"
        self._write(path, shown.certificate.public_bytes(serialization.Encoding.DER))
        shown.path.unlink(missing_ok=True)
        shown.path.with_suffix(".json").unlink(missing_ok=True)
        return path

    def trusted(self) -> list[Shown]:
        """What was approved."""
        return list(self._in("trusted"))

    def rejected(self) -> list[Shown]:
        """What was seen and not approved."""
        return list(self._in("rejected"))

    def _in(self, name: str) -> Iterator[Shown]:
        for path in sorted((self.folder / name).glob("*")):
            if path.suffix in (".der", ".pem", ".crt", ".cer"):
                try:
                    certificate = load_certificate(path.read_bytes())
                except (OSError, ValueError):
                    continue  # somebody's half-copied file must not end every connection
                yield Shown(certificate, path, **_note(path.with_suffix(".json")))

    def _crls(self) -> Iterator[x509.CertificateRevocationList]:
        for path in sorted((self.folder / "crl").glob("*")):
            try:
                content = path.read_bytes()
                is_pem = b"-----BEGIN" in content
                yield x509.load_pem_x509_crl(content) if is_pem else x509.load_der_x509_crl(content)
            except (OSError, ValueError):
                continue

    def _write(self, path: Path, content: bytes, *, mode: int = 0o644) -> None:
        """Write a file whole; it belongs to whom the folder above belongs, also where root approves."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        new.replace(path)
        if os.geteuid() == 0:
            above = self.folder.parent.stat()
            for one in (self.folder, path.parent, path):
                os.chown(one, above.st_uid, above.st_gid)


def load_certificate(content: bytes) -> x509.Certificate:
    """A certificate, PEM or DER by its content. Raises ValueError."""
    return (
        x509.load_pem_x509_certificate(content) if b"-----BEGIN" in content else x509.load_der_x509_certificate(content)
    )


def first_of(chain: bytes) -> bytes:
    """The first certificate of a chain of DER ones, as servers send it. Raises ValueError."""
    if len(chain) < 4 or chain[0] != 0x30:
        raise ValueError("it is no certificate")
    size = chain[1] & 0x7F
    length = 2 + chain[1] if not chain[1] & 0x80 else 2 + size + int.from_bytes(chain[2 : 2 + size], "big")
    return chain[:length]


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


def why_not(
    certificate: x509.Certificate,
    *,
    trusted: Sequence[x509.Certificate],
    issuers: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
    now: datetime,
) -> str:
    """Why a certificate is not trusted; empty where it is one of the trusted, or was issued by one of them.

    An approved certificate stays approved when it expires: the machine is the same, and `expiring` says it.
    """
    current = certificate
    for _ in range(MOST_LINKS):
        if current in trusted:
            return ""
        issuer = next((one for one in (*trusted, *issuers) if _issued(current, one)), None)
        if issuer is None or issuer == current:
            return "nobody has approved it"
        if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
            return f"it is not valid now ({validity(current)})"
        if any(_revokes(crl, current, issuer) for crl in crls):
            return f"it was revoked by {issuer.subject.rfc4514_string()}"
        current = issuer
    return "its chain is too long"


def validity(certificate: x509.Certificate) -> str:
    """From when to when it is valid, for people."""
    return f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"


def expiring(certificate: x509.Certificate, whose: str, *, now: datetime | None = None) -> str:
    """A sentence for people, from 60 days before it expires; empty before."""
    left = certificate.not_valid_after_utc - (now or datetime.now(UTC))
    if left > timedelta(days=SOON_DAYS):
        return ""
    when = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    if left < timedelta():
        return f"{whose} certificate expired on {when}; renew it"
    return f"{whose} certificate expires on {when}, in {left.days} days; renew it before"


def make_own(host: str, uri: str, *, days: int = OWN_DAYS) -> tuple[x509.Certificate, bytes]:
    """A self-signed application certificate as OPC 10000-6 §6.2.2 wants it, and its key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Raceway on {host}"[:64])])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of machines are behind
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(host)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, private


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` is an authority and signed this certificate."""
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return constraints.ca


def _revokes(crl: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether this list is really the issuer's, and names the certificate."""
    if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        return False
    return crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


def _file_name(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()[:32]


def _note(path: Path) -> dict[str, str]:
    """What is written beside a rejected certificate."""
    try:
        said = json.loads(path.read_bytes())
        return {key: str(said[key]) for key in ("source", "url", "seen")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
