"""The page: what the plant does now, what was counted today, and whether the agent does its work.

`Latest` is a sink in memory: it reads the log like every other sink and keeps the newest value of each series. The
server answers from it, from the board and from the local history. It needs nothing from outside, loads nothing from
outside, and changes nothing: there is no request that writes.
"""
