"""The folder of certificates: what is trusted, what is not, and why."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from collectors.opcua.pki import Pki, application_uri, expiring, first_of, load_certificate, make_own, why_not

NOW = datetime.now(UTC)


class Party(NamedTuple):
    """Somebody with a certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def issued(name: str, by: Party | None = None, *, is_ca: bool = False, days: int = 100) -> Party:
    """A certificate, signed by itself or by an authority; one that expired where the days are negative."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=200))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(by.key if by else key, hashes.SHA256())
    )
    return Party(certificate, key)


def revoked(party: Party, by: Party) -> x509.CertificateRevocationList:
    """The list of an authority that names one certificate."""
    entry = x509.RevokedCertificateBuilder().serial_number(party.certificate.serial_number).revocation_date(NOW).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject).last_update(NOW)
    return builder.next_update(NOW + timedelta(days=1)).add_revoked_certificate(entry).sign(by.key, hashes.SHA256())


ROOT = issued("root", is_ca=True)
MIDDLE = issued("middle", ROOT, is_ca=True)
LEAF = issued("machine", MIDDLE)
ALONE = issued("alone")
EXPIRED = issued("old", MIDDLE, days=-1)
NO_AUTHORITY = issued("leaf of a leaf", LEAF)


@pytest.mark.parametrize(
    ("who", "trusted", "issuers", "why"),
    [
        pytest.param(ALONE, [], [], "nobody has approved it", id="nothing is trusted by itself"),
        pytest.param(ALONE, [ALONE], [], "", id="approved"),
        pytest.param(LEAF, [ROOT], [MIDDLE], "", id="a chain to an approved authority"),
        pytest.param(LEAF, [MIDDLE], [], "", id="the authority itself is approved"),
        pytest.param(LEAF, [ROOT], [], "nobody has approved it", id="a chain with a hole"),
        pytest.param(LEAF, [], [ROOT, MIDDLE], "nobody has approved it", id="issuers alone are not trusted"),
        pytest.param(EXPIRED, [MIDDLE], [], "it is not valid now", id="expired"),
        pytest.param(EXPIRED, [EXPIRED], [], "", id="approved itself, and expired"),
        pytest.param(NO_AUTHORITY, [LEAF], [], "nobody has approved it", id="issued by one that is no authority"),
    ],
)
def test_who_is_trusted(who: Party, trusted: list[Party], issuers: list[Party], why: str) -> None:
    """Only what was approved, and what an approved authority has issued."""
    said = why_not(
        who.certificate,
        trusted=[one.certificate for one in trusted],
        issuers=[one.certificate for one in issuers],
        crls=[],
        now=NOW,
    )

    assert said.startswith(why)
    assert bool(said) == bool(why)


def test_what_its_authority_revoked_is_not_trusted() -> None:
    """By the authority's own signature: a list of somebody else with the same name counts for nothing."""
    impostor = issued("middle", is_ca=True)
    known = {"trusted": [MIDDLE.certificate], "issuers": [], "now": NOW}

    assert why_not(LEAF.certificate, crls=[revoked(LEAF, MIDDLE)], **known).startswith("it was revoked by")  # type: ignore[arg-type]
    assert why_not(LEAF.certificate, crls=[revoked(LEAF, impostor)], **known) == ""  # type: ignore[arg-type]


def test_our_own_certificate_is_made_once(tmp_path: Path) -> None:
    """It lives for twenty years, carries its application URI, and its key is for us alone."""
    pki = Pki(tmp_path / "pki")
    certificate, key = pki.own()
    made = load_certificate(certificate.read_bytes())

    assert pki.own() == (certificate, key)
    assert load_certificate(certificate.read_bytes()) == made
    assert made.not_valid_after_utc - NOW > timedelta(days=19 * 365)
    assert application_uri(made).startswith("urn:")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_rejected_certificate_can_be_approved(tmp_path: Path) -> None:
    """It is kept with the place where it was seen; once approved it is trusted, and not listed as rejected."""
    pki = Pki(tmp_path)
    pki.reject(ALONE.certificate, source="machines", url="opc.tcp://10.0.0.1:4840")
    pki.reject(ALONE.certificate, source="machines", url="opc.tcp://10.0.0.1:4840")
    (shown,) = pki.rejected()

    assert (shown.source, shown.url, shown.certificate) == ("machines", "opc.tcp://10.0.0.1:4840", ALONE.certificate)
    assert pki.why_not_trusted(ALONE.certificate)
    pki.approve(shown)
    assert pki.why_not_trusted(ALONE.certificate) == ""
    assert pki.rejected() == []
    assert not list((tmp_path / "rejected").iterdir())


def test_files_that_are_no_certificates_are_passed_over(tmp_path: Path) -> None:
    """Half a file that somebody is copying, and PEM beside DER."""
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "half.der").write_bytes(ALONE.certificate.public_bytes(serialization.Encoding.DER)[:99])
    (tmp_path / "trusted" / "whole.pem").write_bytes(ALONE.certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "rejected").mkdir()
    (tmp_path / "rejected" / "x.der").write_bytes(LEAF.certificate.public_bytes(serialization.Encoding.DER))
    (tmp_path / "rejected" / "x.json").write_text(json.dumps({"source": 1}))

    assert [one.certificate for one in Pki(tmp_path).trusted()] == [ALONE.certificate]
    assert [one.source for one in Pki(tmp_path).rejected()] == [""]


def test_expiry_is_said_sixty_days_ahead() -> None:
    """Not earlier, and differently once it is over."""
    certificate, _ = make_own("host", "urn:host:raceway", days=100)

    assert expiring(certificate, "our") == ""
    assert "our certificate expires on" in expiring(certificate, "our", now=NOW + timedelta(days=41))
    assert "expired on" in expiring(certificate, "our", now=NOW + timedelta(days=101))


def test_the_first_certificate_of_a_chain() -> None:
    """Servers send theirs with those of its authorities behind it."""
    leaf, middle = (one.certificate.public_bytes(serialization.Encoding.DER) for one in (LEAF, MIDDLE))

    assert first_of(leaf + middle) == leaf
    with pytest.raises(ValueError, match="no certificate"):
        first_of(b"")
