"""What a failure of the connection means for the people at the machine: what happened, what to check, the detail."""

from __future__ import annotations

from typing import NamedTuple

from asyncua.ua.status_codes import get_name_and_doc
from asyncua.ua.uaerrors._base import UaError

from collectors.secrets import SecretUnreadable
from collectors.source import SourceLost

HOLD_PASSWORD_S = 600.0  # machines lock accounts after a few tries
HOLD_TRUST_S = 60.0  # somebody has to walk to the machine first
HOLD_APPROVAL_S = 10.0  # we refuse: asking costs the machine nothing, and the approval of a person is waited for
HOLD_FULL_S = 5.0  # a machine that has no room for us is not asked again every second

FORESEEN = (OSError, TimeoutError, UaError, SecretUnreadable)
"""What connecting and asking may raise; ConnectionError is an OSError, Malformed and the like are not foreseen."""


class Meaning(NamedTuple):
    """What a status code means when a connection ends with it."""

    text: str
    hold_s: float = 0.0


_PASSWORD = Meaning(
    "the server refuses the account; check user: and password_file:, and whether the account is locked on the machine; "
    "the next try comes late, so that it does not get locked",
    HOLD_PASSWORD_S,
)
OUR_CERTIFICATE = Meaning(
    "the server does not trust our certificate; approve it on the machine (its list of rejected certificates): "
    "raceway trust CONFIG shows its fingerprint",
    HOLD_TRUST_S,
)
_SESSIONS = Meaning(
    "the server has no free session; close other clients, or wait until their sessions time out", HOLD_FULL_S
)
_MEANINGS = {
    "BadUserAccessDenied": _PASSWORD,
    "BadIdentityTokenRejected": _PASSWORD,
    "BadIdentityTokenInvalid": Meaning(
        "the server does not accept this kind of login; set user: and password_file:, or remove them for an "
        "anonymous login",
        HOLD_PASSWORD_S,
    ),
    "BadCertificateUntrusted": OUR_CERTIFICATE,
    "BadSecurityChecksFailed": OUR_CERTIFICATE,
    "BadCertificateInvalid": OUR_CERTIFICATE,
    "BadCertificateUriInvalid": Meaning(
        "the server says that our certificate does not carry our application URI; make a new one",
        HOLD_TRUST_S,
    ),
    "BadCertificateTimeInvalid": Meaning(
        "the server says that our certificate is not valid at this time; check both clocks and the dates in it",
        HOLD_TRUST_S,
    ),
    "BadSecurityPolicyRejected": Meaning(
        "the server does not offer this security policy; check security.policy", HOLD_TRUST_S
    ),
    "BadTooManySessions": _SESSIONS,
    "BadTcpServerTooBusy": _SESSIONS,
    "BadShutdown": Meaning("the server is shutting down"),
    "BadServerHalted": Meaning("the server says that it is halted; start it on the machine"),
}


class Untrusted(Exception):
    """One side does not trust the other's certificate; the text says what to do."""

    def __init__(self, text: str, *, hold_s: float = HOLD_APPROVAL_S) -> None:
        super().__init__(text)
        self.hold_s = hold_s


class Ended(SourceLost):
    """The server itself ended the session or the subscription: there is nothing to pick up again."""


class Degraded(Ended):
    """The server says of itself that its values are not whole any more: another one of its set may have better ones."""

    def __init__(self, url: str, level: int) -> None:
        super().__init__(
            f"{url}: the server says that its values are not whole (ServiceLevel {level} of 255); trying its other "
            "address; check what it has lost"
        )
        self.level = level


def status_name(code: int) -> str:
    """The name of a status code with what the standard says about it."""
    name, meaning = get_name_and_doc(code)
    return f"{name}: {meaning}" if name not in ("Good", "Bad", "Uncertain") else f"{name} {code:#010x}"


def is_of_the_account(code: int) -> bool:
    """Whether a status code says that the account is refused; trying again may lock it."""
    return _MEANINGS.get(get_name_and_doc(code)[0], Meaning("")).hold_s == HOLD_PASSWORD_S


def explained(error: BaseException, url: str) -> SourceLost:
    """The end of a connection in words for people."""
    if isinstance(error, SourceLost):
        return error
    if isinstance(error, SecretUnreadable):
        return SourceLost(f"{url}: {error}", hold_s=0.0)
    if isinstance(error, Untrusted):
        return SourceLost(f"{url}: {error}", hold_s=error.hold_s)
    code = getattr(error, "code", None)
    if isinstance(code, int):
        name = get_name_and_doc(code)[0]
        meaning, hold_s = _MEANINGS.get(name, Meaning("the server ended or refused the connection"))
        return Ended(f"{url}: {meaning} ({status_name(code)})", hold_s=hold_s)
    return SourceLost(f"{url}: {_of_the_network(error)} ({type(error).__name__}: {error})")


def _of_the_network(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "the server does not answer; check that the machine is on, the cable, and the firewall"
        case ConnectionRefusedError():
            return "nothing listens there; check the port, and that the OPC UA server on the machine is started"
        case ConnectionError():
            return "the connection was cut"
        case OSError() if "Name or service not known" in str(error) or "getaddrinfo" in str(error):
            return "the name is not known on this network; check the spelling, or use the IP address"
        case OSError():
            return "the machine cannot be reached; check the address and the cable"
        case _:
            return "the server's answer was not understood"
