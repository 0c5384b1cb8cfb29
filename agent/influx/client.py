"""The HTTP requests, by influxdb-client's synchronous WriteService: its batching mode loses data and is never used."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import urllib3

from agent.influx.answers import Answer
from agent.influx.config import InfluxConfig
from agent.influx.slim import ApiClient, ApiException, Configuration, WriteService
from agent.sink import Retry
from collectors.secrets import SecretUnreadable


class Client:
    """One server, one connection, one request at a time. Its repr and its errors hold no token."""

    def __init__(self, config: InfluxConfig) -> None:
        self._config = config
        if not config.verify_tls:  # chosen in the configuration; not to be said again at each request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        settings = Configuration()
        settings.host = config.url.removesuffix("/")
        settings.timeout = round(config.timeout_s * 1_000)
        settings.verify_ssl = config.verify_tls
        settings.ssl_ca_cert = str(config.ca_file) if config.ca_file else None
        settings.connection_pool_maxsize = 1
        self._client: Any = ApiClient(settings)
        self._service: Any = WriteService(self._client)

    def post(self, packed: bytes) -> Answer:
        """Write gzipped lines and return the server's answer; raises Retry where there is none. Blocks."""
        try:
            self._client.set_default_header("Authorization", f"Token {self._token()}")
            _, status, headers = self._service.post_write_with_http_info(
                org=self._config.org,
                bucket=self._config.bucket,
                body=packed,
                content_encoding="gzip",
                precision="ns",
                _return_http_data_only=False,
            )
        except ApiException as error:
            if not error.status:  # influxdb-client's way to say SSLError
                raise _no_tls(error.reason or "") from error
            headers = error.headers or {}
            return Answer(error.status, error.body or "", {name.lower(): value for name, value in headers.items()})
        except UnicodeDecodeError as error:
            raise Retry("something answered, but not in UTF-8, so it is not InfluxDB; check the address") from error
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error, self._config) from error
        return Answer(status, "", {name.lower(): value for name, value in headers.items()})

    def close(self) -> None:
        """Give the connection back."""
        self._client.rest_client.pool_manager.clear()

    def _token(self) -> str:
        """Read at each request, so that a rotated token needs no restart."""
        try:
            token = self._config.token_file.read()
        except SecretUnreadable as error:
            raise Retry(str(error), blocked="auth") from error
        if not (token.isascii() and token.isprintable()):
            raise Retry(f"{self._config.token_file} does not hold a token: it has signs no token has", blocked="auth")
        return token


def _no_answer(error: urllib3.exceptions.HTTPError, config: InfluxConfig) -> Retry:
    """What went wrong on the way, in words."""
    detail = f" ({error})"
    match error:
        case urllib3.exceptions.SSLError():
            return _no_tls(str(error))
        case urllib3.exceptions.NameResolutionError():
            return Retry(f"the name in {config.url} is not known; check the address and DNS{detail}", blocked="dns")
        case urllib3.exceptions.NewConnectionError():
            reason = f"no connection to {config.url}; check the address, and that InfluxDB runs there{detail}"
            return Retry(reason, blocked="refused")
        case urllib3.exceptions.ConnectTimeoutError():
            reason = f"{config.url} cannot be reached; check the network, the address and the firewall{detail}"
            return Retry(reason, blocked="unreachable")
        case urllib3.exceptions.TimeoutError():
            return Retry(f"InfluxDB took longer than {config.timeout_s:g} s{detail}", blocked="timeout")
        case _:
            return Retry(f"the connection to {config.url} broke{detail}", blocked="refused")


def _no_tls(detail: str) -> Retry:
    """Why there is no TLS connection. A gateway without a clock battery wakes up in 1970: look there first."""
    if "not yet valid" in detail:
        now = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M UTC")
        reason = f"the server's certificate is not yet valid by our clock, which says {now}; check this gateway's clock"
    elif "expired" in detail:
        reason = (
            "the server's certificate has expired, or this gateway's clock is ahead; renew the one or set the other"
        )
    elif "self-signed" in detail or "unable to get local issuer" in detail:
        reason = "the server's certificate is signed by nobody we trust; name the plant's authority in ca_file"
    else:
        reason = "no TLS connection; check that the address starts with http:// or https:// as the server wants"
    return Retry(f"{reason} ({' '.join(detail.split())})", blocked="tls")
