"""Everything that turns the outside world into batches. Never imports `agent`."""
