"""Everything that keeps, uses and ships batches."""

__version__ = "0.1.0"
