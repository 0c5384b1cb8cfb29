"""TLS to InfluxDB: a plant's own authority is trusted by name; what is wrong with a certificate is said in words."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.sink import Retry
from tests.agent.influx.worlds import Outcome, config_for, entries_of
from tests.fakes.influx import FakeInflux, fake_influx

DAY = datetime.timedelta(days=1)


def certificate(folder: Path, *, from_days: float, to_days: float) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, valid between two days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "influx")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + from_days * DAY)
        .not_valid_after(now + to_days * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server(certificate_file: Path) -> FakeInflux:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate_file)
    return FakeInflux(tls=tls)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(FakeInflux().token)
    return path


@pytest.mark.parametrize(
    "trust", [{"ca_file": "certificate.pem"}, {"verify_tls": False}], ids=["ca_file", "unverified"]
)
async def test_delivered_over_tls(tmp_path: Path, token_file: Path, trust: dict[str, object]) -> None:
    """A certificate of the plant's own is good where the configuration says so."""
    known = {name: str(tmp_path / value) if isinstance(value, str) else value for name, value in trust.items()}
    async with fake_influx(server(certificate(tmp_path, from_days=-1, to_days=1))) as fake:
        await Outcome(config_for(fake.url, token_file, **known)).sink.write(entries_of(1))

        assert 100 == len(fake.points)


@pytest.mark.parametrize(
    ("from_days", "to_days", "is_trusted", "advice"),
    [
        (1, 2, True, "check this gateway's clock"),
        (-2, -1, True, "has expired"),
        (-1, 1, False, "ca_file"),
    ],
    ids=["not yet valid", "expired", "unknown authority"],
)
async def test_a_bad_certificate_is_explained(
    tmp_path: Path, token_file: Path, from_days: float, to_days: float, is_trusted: bool, advice: str
) -> None:
    """Our own clock is looked at first where a certificate is not yet valid; nothing is sent, nothing lost."""
    path = certificate(tmp_path, from_days=from_days, to_days=to_days)
    async with fake_influx(server(path)) as fake:
        config = config_for(fake.url, token_file, **({"ca_file": str(path)} if is_trusted else {}))
        with pytest.raises(Retry) as caught:
            await Outcome(config).sink.write(entries_of(1))

        assert 0 == fake.writes
    assert "tls" == caught.value.blocked
    assert advice in caught.value.reason
