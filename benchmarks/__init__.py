"""Benchmarks: Raceway beside its peers (python -m benchmarks), and single steps, one file each."""
