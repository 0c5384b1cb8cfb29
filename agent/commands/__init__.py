"""What the commands of `raceway` do; `agent.cli` declares them. Each returns the exit code.

0: well.  1: failed, or a peer is unreachable.  2: the configuration or the command line is wrong.
"""

OK, FAILED, WRONG = 0, 1, 2
