"""Campaigns: what is to be simulated, by which workers, and every finished run safe on disk."""
