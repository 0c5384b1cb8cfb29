"""Shipping to InfluxDB 2.x, 3.x and 1.8+: every point delivered, or dead-lettered with the server's words.

`lines` turns columns into line protocol, `answers` says what a server's answer means, `parcel` sends one read of the
log and isolates what the server refuses, `client` makes the HTTP requests, `sink` holds them together.
"""
