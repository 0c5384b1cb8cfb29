"""Energy, cost and carbon from meter readings, so that an auditor gets the same figures from the same log.

How a figure comes about
------------------------
1. `thin` keeps the readings that matter: of each slot (15 minutes) the first, the last, the lowest and the highest.
   That is a function of the *set* of readings, so the order of arrival, batches and repeats cannot change it.
2. `meter` and `energy` turn the kept readings into links: an amount between two times, measured or unknown, in whole
   millionths of the medium's unit, so that sums are exact. Nothing unknown is ever 0.
3. `windows` spreads links over slots and adds slots to hours, shifts, days and months of the plant's calendar.
4. `account` multiplies with factors and prices. What has no factor is *incomplete*, and says so.

The kept readings go into the log's records as they are. They are the evidence: `report` feeds them through the same
four steps and gets the same whole numbers, long after the telemetry is gone. The sink needs no database of its own:
what is not yet in the records is the state that is committed with its cursor.

Invariants: a counter never yields a negative amount; the parts of a link add up to the link; the machines below a
feeder and its unmetered remainder add up to the feeder; a factor of organisations never meets a product's footprint.
"""
