"""What a server and the way to it do to one request: the answer or the failure, and whether the points are written."""

from __future__ import annotations

from agent.influx.answers import Answer
from agent.sink import Retry

_NOT_INFLUX = "<html>Please log in</html>"
_DATE = {"date": "Tue, 24 Nov 2026 13:00:00 GMT", "retry-after": "Tue, 24 Nov 2026 13:00:20 GMT"}
CONDITIONS: dict[str, tuple[Answer | Retry, bool]] = {
    "429 with seconds": (Answer(429, "", {"retry-after": "15"}), False),
    "429": (Answer(429, ""), False),
    "503 with date": (Answer(503, "", _DATE), False),
    "500": (Answer(500, '{"code":"internal error","message":"An internal error has occurred"}'), False),
    "500 but written": (Answer(500, '{"code":"internal error","message":"timeout"}'), True),
    "502": (Answer(502, "Bad Gateway"), False),
    "portal": (Answer(200, _NOT_INFLUX), False),
    "portal 404": (Answer(404, _NOT_INFLUX), False),
    "token revoked": (Answer(401, '{"code":"unauthorized","message":"unauthorized access"}'), False),
    "bucket deleted": (Answer(404, '{"code":"not found","message":"bucket not found"}'), False),
    "written, then silence": (Retry("no answer", blocked="timeout"), True),
    "silence": (Retry("no answer", blocked="timeout"), False),
    "written, then reset": (Retry("reset", blocked="refused"), True),
    "reset in the body": (Retry("reset", blocked="refused"), False),
    "no name": (Retry("no such name", blocked="dns"), False),
    "no certificate": (Retry("expired", blocked="tls"), False),
    "certificate of tomorrow": (Retry("not yet valid", blocked="tls"), False),
}
