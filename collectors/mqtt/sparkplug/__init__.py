"""Sparkplug B: edge nodes that say what they will send (births), number what they send, and are declared dead.

`messages` is the payload's protobuf definition, `payload` opens what came (compressed too), `elements` turns a metric
of any type into numbers and texts, `edge` keeps what is known of one edge node, `host` makes batches of it all.

Promises
--------
* Nothing is published unless `host_id` is set: then the host's STATE, and rebirth requests, throttled for each node.
* A hole in a node's sequence is a gap record. Until its next birth its aliases may have changed without our knowing,
  so values that come under an alias are Uncertain.
* The death of a node or a device makes its last values stale: one Bad point for each of its signals.
* A historical value is written at its own time, or refused where it has none.
"""
