"""A small bearing plant as real servers on loopback: OPC UA machines and MQTT meters, for the demo and for tests.

`plant` is pure: the same seed and the same times give the same values. `machines` and `meters` are its parts.
`opcua_server`, `broker` and `publisher` are thin shells that show those values over real protocols, and `ledger` keeps
every value that they emitted, so that a loss is counted against what was sent and not against what was hoped.

Run it by itself with ``python -m collectors.simulator``.
"""
