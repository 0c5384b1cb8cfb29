"""Why a broker cannot be used, in words for people, from what paho, TLS and the system say."""

from __future__ import annotations

import ssl

from paho.mqtt.client import WebsocketConnectionError
from paho.mqtt.reasoncodes import ReasonCode

from collectors.mqtt.config import MqttConfig
from collectors.secrets import SecretUnreadable
from collectors.source import SourceLost

REFUSED_HOLD_S = 60.0
"""Pause after a refusal that trying again only makes worse."""


def why_unreachable(error: Exception, config: MqttConfig) -> SourceLost:
    """From what connecting raised."""
    return SourceLost(_unreachable(error, config))


def _unreachable(error: Exception, config: MqttConfig) -> str:
    host, port = config.address
    match error:
        case SecretUnreadable():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"the broker's certificate is not trusted ({error.verify_message}); check tls.ca_file and the clock"
        case ssl.SSLError():
            return f"TLS with {host}:{port} fails; check the port and the certificates ({error})"
        case ConnectionRefusedError():
            return f"nothing listens at {host}:{port}; check the port, and whether the broker runs ({error})"
        case TimeoutError():
            return f"{host}:{port} does not answer; check cable, address and firewall ({error})"
        case FileNotFoundError():
            return f"a certificate file is missing; check tls in the configuration ({error})"
        case WebsocketConnectionError():
            return f"{host}:{port} does not speak WebSocket at this path; check the url ({error})"
        case _:
            return f"{host}:{port} cannot be reached; check the name and the network ({error})"


def why_refused(code: ReasonCode, config: MqttConfig) -> SourceLost:
    """From CONNACK's reason code."""
    who = f"user {config.username!r}" if config.username else "a client without a user name"
    match str(code):
        case "Bad user name or password" | "Not authorized" | "Bad authentication method":
            why = f"the broker refuses {who}; check username and password_file ({code})"
        case "Client identifier not valid":
            why = f"the broker refuses our client_id; set another one ({code})"
        case "Banned":
            why = f"the broker has banned us; ask its operator ({code})"
        case _:
            return SourceLost(f"the broker refuses the connection ({code})")
    return SourceLost(why, hold_s=REFUSED_HOLD_S)
