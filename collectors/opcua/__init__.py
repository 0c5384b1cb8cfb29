"""OPC UA: subscribe to a server's variables, hand over columns, acknowledge only what is on disk.

asyncua is the transport and the codec; what decides whether a value is lost is ours: the publish loop
(`subscription`), the sequence numbers (`sequence`), the table of wanted items (`items`), the decoder (`wire`,
`decode`, `shape`). One `Client` lives for one connection and is never reused.
"""
