"""A PACT document as the AAS submodel Carbon Footprint, IDTA 02023-1-0-1: JSON, or a package with it. Pure.

Structure and semantic ids are those of the template of the IDTA (CC BY 4.0).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

_IDTA = "https://admin-shell.io/idta/CarbonFootprint"
_METHODS, _CO2, _UNIT, _QUANTITY, _PHASE = (f"0173-1#02-ABG85{n}#003" for n in (4, 5, 6, 7, 8))
_TEMPLATE = "https://admin-shell.io/IDTA 02023-1-0"
GATE = "A1-A3"
_METHOD_NAMES = {"ISO14067": "ISO 14067", "PACT-3.0": "PACT v3.0.0"}


def aas_environment(pact: Mapping[str, Any]) -> dict[str, object]:
    """A shell of the product's type with one submodel, in metamodel 3.0."""
    submodel = f"urn:uuid:{pact['id']}"
    return {
        "assetAdministrationShells": [
            {
                "modelType": "AssetAdministrationShell",
                "id": f"{submodel}:shell",
                "assetInformation": {"assetKind": "Type", "globalAssetId": pact["productIds"][0]},
                "submodels": [{"type": "ModelReference", "keys": [{"type": "Submodel", "value": submodel}]}],
            }
        ],
        "submodels": [
            {
                "modelType": "Submodel",
                "kind": "Instance",
                "id": submodel,
                "idShort": "CarbonFootprint",
                "administration": {"version": "1", "revision": "0", "templateId": _TEMPLATE},
                "semanticId": _external(f"{_IDTA}/CarbonFootprint/1/0"),
                "submodelElements": [_footprints(pact)],
            }
        ],
    }


def aas_package(pact: Mapping[str, Any]) -> bytes:
    """An .aasx file; the same document gives the same bytes."""
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _relation("aasx-origin", "/aasx/aasx-origin"),
        "aasx/aasx-origin": b"Intentionally empty.",
        "aasx/_rels/aasx-origin.rels": _relation("aas-spec", "/aasx/carbon-footprint.json"),
        "aasx/carbon-footprint.json": orjson.dumps(aas_environment(pact), option=orjson.OPT_INDENT_2),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            package.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _footprints(pact: Mapping[str, Any]) -> dict[str, object]:
    pcf = pact["pcf"]
    methods = [_METHOD_NAMES.get(name, name) for name in pcf["crossSectoralStandards"]]
    one = {
        "modelType": "SubmodelElementCollection",
        "semanticId": _external(f"{_IDTA}/ProductCarbonFootprint/1/0"),
        "value": [
            _texts("PcfCalculationMethods", _METHODS, methods),
            _property("PcfCO2eq", _CO2, "xs:decimal", pcf["pcfExcludingBiogenicUptake"]),
            _property("ReferenceImpactUnitForCalculation", _UNIT, "xs:string", pcf["declaredUnitOfMeasurement"]),
            _property("QuantityOfMeasureForCalculation", _QUANTITY, "xs:double", pcf["declaredUnitAmount"]),
            _texts("LifeCyclePhases", _PHASE, [GATE]),
            _property("PublicationDate", f"{_IDTA}/PublicationDate/1/0", "xs:dateTime", pact["created"]),
            _property("ExpirationDate", f"{_IDTA}/ExpirationDate/1/0", "xs:dateTime", pact["validityPeriodEnd"]),
        ],
    }
    return {
        "modelType": "SubmodelElementList",
        "idShort": "ProductCarbonFootprints",
        "semanticId": _external(f"{_IDTA}/ProductCarbonFootprints/1/0"),
        "semanticIdListElement": _external(f"{_IDTA}/ProductCarbonFootprint/1/0"),
        "typeValueListElement": "SubmodelElementCollection",
        "value": [one],
    }


def _texts(name: str, of: str, texts: Sequence[str]) -> dict[str, object]:
    return {
        "modelType": "SubmodelElementList",
        "idShort": name,
        "semanticId": _external(f"{_IDTA}/{name}/1/0"),
        "semanticIdListElement": _external(of),
        "typeValueListElement": "Property",
        "valueTypeListElement": "xs:string",
        "value": [_property("", of, "xs:string", text) for text in texts],
    }


def _property(name: str, semantic: str, kind: str, value: str) -> dict[str, object]:
    named = {"idShort": name} if name else {}
    return {"modelType": "Property", **named, "semanticId": _external(semantic), "valueType": kind, "value": value}


def _external(value: str) -> dict[str, object]:
    return {"type": "ExternalReference", "keys": [{"type": "GlobalReference", "value": value}]}


def _relation(kind: str, target: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><Relationships '
        'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
        f'Type="http://admin-shell.io/aasx/relationships/{kind}" Target="{target}" Id="r1"/></Relationships>'
    ).encode()


_TYPES = (
    b'<?xml version="1.0" encoding="utf-8"?><Types '
    b'xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" '
    b'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="json" '
    b'ContentType="application/json"/><Override PartName="/aasx/aasx-origin" ContentType="text/plain"/></Types>'
)
