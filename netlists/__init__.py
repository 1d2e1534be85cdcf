"""Designs, netlist graphs and PySpice circuits of floating-gate arrays. Starts no simulator."""
