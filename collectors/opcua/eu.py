"""Engineering units as OPC UA servers name them, and whether they agree with the configured ones. Pure.

EUInformation (OPC 10000-8 §5.6.4.3) carries a UN/CEFACT Recommendation 20 code as an integer: its bytes are the code.
"""

from __future__ import annotations

from fractions import Fraction

from collectors.units import canonical, quantity

_CODES = """
KWH=kWh WHR=Wh MWH=MWh GWH=GWh JOU=J KJO=kJ 3B=MJ GV=GJ K3=kvarh KWT=kW WTT=W MAW=MW KVR=kvar D44=var KVA=kVA D46=VA
VLT=V 2Z=mV KVT=kV AMP=A 4K=mA B22=kA OHM=Ω HTZ=Hz KHZ=kHz MTQ=m³ NM3=Nm³ LTR=L MLT=mL MQH=m³/h MQS=m³/s KGS=kg/s
E93=kg/h Q40=Nm³/h L2=L/min KGM=kg GRM=g MGM=mg TNE=t H87=pcs C62=1 SEC=s C26=ms MIN=min HUR=h DAY=d MMT=mm 4H=µm
CMT=cm MTR=m KMT=km RPM=rpm RPS=rps CEL=°C KEL=K FAH=°F PAL=Pa KPA=kPa MPA=MPa BAR=bar MBR=mbar C16=mm/s MTS=m/s
2X=m/min MSK=m/s² NEW=N B47=kN NU=N·m 2N=dB P1=% 59=ppm DD=° C81=rad AMH=Ah
"""
CEFACT = dict(pair.split("=") for pair in _CODES.split())
"""The codes that plants meet, and the unit as Raceway writes it. GJ is not among them: it is grams a millilitre."""

_SIZES = """
J=1 kJ=1000 MJ=1e+06 GJ=1e+09 Wh=3600 kWh=3.6e+06 MWh=3.6e+09 GWh=3.6e+12 varh=1 kvarh=1000 mW=0.001 W=1 kW=1000
MW=1e+06 var=1 kvar=1000 VA=1 kVA=1000 MVA=1e+06 mV=0.001 V=1 kV=1000 mA=0.001 A=1 kA=1000 mL=1e-06 L=0.001 m³=1
mg=1e-06 g=0.001 kg=1 t=1000 Hz=1 kHz=1000 µs=1e-06 ms=0.001 s=1 min=60 h=3600 d=86400 rpm=1/60 rps=1 nm=1e-09
µm=1e-06 mm=0.001 cm=0.01 m=1 km=1000 N=1 kN=1000 Pa=1 mbar=100 kPa=1000 bar=100000 MPa=1e+06 m³/h=1 L/h=0.001
L/min=0.06 m³/s=3600 kg/h=1 kg/s=3600 mm/s=0.001 mm/min=1/60000 m/s=1 m/min=1/60
"""
_TO_BASE = {unit: float(Fraction(size)) for unit, size in (pair.split("=") for pair in _SIZES.split())}
"""How many of the base unit of what it measures."""

TOLERANCE = 1e-6


def unit_of(unit_id: int, display: str) -> str:
    """The unit as Raceway writes it, by its code, else by how the server shows it; empty where neither is known."""
    if unit_id > 0:
        code = unit_id.to_bytes(4, "big").lstrip(b"\0").decode("ascii", "replace") if unit_id < 2**32 else ""
        if code in CEFACT:
            return CEFACT[code]
    try:
        return canonical(display)
    except ValueError:
        return ""


def ratio(given: str, wanted: str) -> float | None:
    """What a value in `given` is multiplied by to be one in `wanted`; None where that is not known."""
    if given == wanted:
        return 1.0
    if quantity(given) != quantity(wanted) or given not in _TO_BASE or wanted not in _TO_BASE:
        return None
    return _TO_BASE[given] / _TO_BASE[wanted]


def contradiction(server: str, wanted: str, *, scale: float, offset: float) -> str:
    """Why values in the server's unit cannot be taken for the configured one, for people; empty where they agree.

    A factor of the configuration is believed where it is the true one, or where the true one is not known.
    """
    if not server or not wanted or wanted.startswith("{"):
        return ""
    says = f"the server says that the unit is {server}, the configuration says {wanted}"
    if quantity(server) != quantity(wanted):
        return f"{says}; correct unit: or node:" if scale == 1 and offset == 0 else ""
    factor = ratio(server, wanted)
    if factor is None:
        return "" if (scale, offset) != (1, 0) or server == wanted else f"{says}; correct unit:, or write the scale:"
    if abs(scale / factor - 1) <= TOLERANCE or (server == wanted and scale != 1):
        return ""
    return f"{says}; write scale: {factor:g}, or unit: {server}"
