"""Figures of a run's report, one idea per module: each returns an inline SVG and starts no simulator."""
