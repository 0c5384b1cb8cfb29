"""A carbon label to print, in Chinese and English, with a QR code that leads to the document. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import segno

WIDTH_MM, HEIGHT_MM = 100, 62
QR_MM = 27.0
DIGITS = 3


def label_svg(pact: Mapping[str, Any], *, address: str, zone: ZoneInfo) -> bytes:
    """The label as SVG, 100 by 62 mm, its days in plant time.

    address: where the document is, {id} stands for its id; may be empty.
    """
    pcf = pact["pcf"]
    figure = rounded(pcf["pcfExcludingBiogenicUptake"])
    start = _day(pcf["referencePeriodStart"], zone)
    end, until = (
        _day(text, zone) - timedelta(days=1) for text in (pcf["referencePeriodEnd"], pact["validityPeriodEnd"])
    )
    standards = " · ".join(pcf["crossSectoralStandards"])
    lines = [
        (8.0, 4.6, "b", "产品碳足迹 Product carbon footprint"),
        (15.0, 4.0, "b", pact["productNameCompany"]),
        (20.0, 3.0, "", pact["companyName"]),
        (41.0, 2.6, "", "从摇篮到大门 Cradle to gate"),
        (45.0, 2.6, "", f"核算期 Period: {start} – {end}"),
        (49.0, 2.6, "", f"有效期至 Valid until: {until}"),
        (53.0, 2.6, "", f"依据 According to: {standards}"),
        (57.0, 2.6, "", "企业自我声明，非认证标识 Self-declared, no certification mark"),
        (60.4, 2.0, "", pact["id"]),
    ]
    body = [
        f'<text x="4" y="{y}" font-size="{size}" class="{weight}">{escape(str(text)[:60])}</text>'
        for y, size, weight, text in lines
    ]
    unit = '<tspan class="n" font-size="4" dx="2">kgCO₂e / 件 piece</tspan>'
    body.append(f'<text x="4" y="33" font-size="11" class="b">{figure}{unit}</text>')
    body.append(_qr(qr_content(pact, address), x=WIDTH_MM - QR_MM - 4, y=24))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm" '
        f'viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}"><style>text{{font-family:"Noto Sans SC","WenQuanYi Micro Hei",'
        f'"Microsoft YaHei",sans-serif;fill:#111}}.b{{font-weight:bold}}.n{{font-weight:normal}}</style>'
        f'<rect x="0.5" y="0.5" width="{WIDTH_MM - 1}" height="{HEIGHT_MM - 1}" '
        f'rx="2" fill="#fff" stroke="#111" stroke-width="0.4"/>'
        f"{''.join(body)}</svg>\n"
    ).encode()


def _day(text: str, zone: ZoneInfo) -> date:
    return datetime.fromisoformat(text).astimezone(zone).date()


def label_page(pact: Mapping[str, Any], *, address: str, zone: ZoneInfo) -> bytes:
    """The label as a page that prints on a sheet of its own size."""
    title = escape(pact["productNameCompany"])
    head = (
        f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>{title}</title><style>'
        f"@page {{ size: {WIDTH_MM}mm {HEIGHT_MM}mm; margin: 0 }} body {{ margin: 0 }} svg {{ display: block }}</style>"
    )
    return head.encode() + label_svg(pact, address=address, zone=zone) + b"</html>\n"


def rounded(text: str) -> str:
    """A figure with three digits that count, without exponent."""
    value = Decimal(text)
    if not value:
        return "0"
    places = DIGITS - 1 - value.adjusted()
    return format(round(value, places) if places > 0 else value.quantize(Decimal(1)), "f")


def qr_content(pact: Mapping[str, Any], address: str) -> str:
    """The document's address; without one what it says in short. The id follows from the content."""
    if address:
        return address.replace("{id}", pact["id"])
    pcf = pact["pcf"]
    short = {
        "id": pact["id"],
        "product": pact["productIds"][0],
        "pcf": pcf["pcfExcludingBiogenicUptake"],
        "unit": f"kgCO2e/{pcf['declaredUnitOfMeasurement']}",
        "to": pcf["referencePeriodEnd"],
    }
    return orjson.dumps(short).decode()


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as it is written to a file."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _qr(content: str, *, x: float, y: float) -> str:
    """The code as one path of squares, with the quiet zone that readers need."""
    code = segno.make(content, error="m", micro=False)
    rows = [tuple(row) for row in code.matrix_iter(border=4)]
    path = "".join(_dark(rows))
    scale = QR_MM / len(rows)
    return f'<path transform="translate({x} {y}) scale({scale:.5f})" fill="#000" d="{path}"/>'


def _dark(rows: list[tuple[int, ...]]) -> Iterator[str]:
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            if is_dark:
                yield f"M{x} {y}h1v1h-1z"
