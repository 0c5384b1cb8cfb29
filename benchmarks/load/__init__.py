"""What the load and the checking sink agree on, and the programs that offer it: each a process of its own."""
