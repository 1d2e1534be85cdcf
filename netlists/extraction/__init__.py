"""From conductors and a process stack to capacitances, resistances and a design's parasitics."""
