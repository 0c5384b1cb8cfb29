"""MQTT: every value of every meter that speaks JSON over a broker, acknowledged only when it is on disk.

How a message travels
---------------------
`receive.BlockClient` is paho's client with one change: it reads the socket in blocks and hands PUBLISH packets over as
columns (`packets.Framer`, pure); everything else stays with paho. `link.Link` ties it to the event loop: connect,
subscribe, keep-alive, and one exception for every way to end. `decode.Decoder` (pure) turns topics and payloads into
the columns of a batch, or into dead letters; what differs from earlier messages in nothing but its numbers is read many
at a time (`alike`, `skeletons`). `source.MqttSource` delivers, and acknowledges what is durable.

Promises
--------
* An acknowledgement leaves only after `deliver` returned for its message, in the order of arrival, and only to the
  connection that brought it. What was not acknowledged comes again after a reconnect; the log drops equal duplicates.
* Nothing that a broker or a device sends stops the stream: what does not fit becomes a dead letter, durable like a
  value, then acknowledged.
* QoS 2 is acknowledged (PUBREC) when durable too. A crash between can bring a message twice, never lose one.
* QoS 0 has no acknowledgement: what does not fit into 8 MiB of undelivered messages is dropped, counted, and said by a
  gap record.
* A retained message is a value like others. With its own timestamp that is all; without one it is marked as
  Uncertain (last usable value), because nobody knows how old it is.
* While messages come it is written down, every ten seconds, until when nothing is missing; after a restart the gap
  record begins there.
* A value without a usable timestamp gets the gateway's, and says so (`Clock.GATEWAY`).
"""
