"""`raceway demo`: the whole chain on one machine, and an honest count of what arrived.

`files` writes the configuration that a plant's engineer would write, `processes` starts the simulated plant and the
agent as processes of their own, `tally` counts what was emitted against what the log holds, `run` is the course of
the demonstration and `command` its command line.
"""
