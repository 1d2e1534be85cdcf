"""Data sets, measurements and what else a run leaves: read within bounds, written whole, and where it comes from."""
