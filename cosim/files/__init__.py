"""Files: data sets, measurements and those of a run folder, read within bounds, written whole, and where they come from."""
