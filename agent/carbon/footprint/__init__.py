"""The carbon footprint of a product, cradle to gate, from what was measured and written down.

Inputs of a period (`inputs`) are own energy from the carbon accounts, and materials, gases, inbound transport and waste
from the ledger. What was booked for one product is its own; the rest is divided by good pieces or by mass (`output`).
Each input is multiplied with a footprint of its supplier, or with a product factor from the register (`intensities`);
where there is none the result is incomplete and says so. `compute` adds up, `quality` weighs how good the data are.

The result becomes a PACT ProductFootprint (`pact`), and from that a Catena-X PCF (`catenax`), an AAS submodel (`aas`),
a label (`label`) and a page (`page`). A document that breaks a rule of its format is not written.
"""
