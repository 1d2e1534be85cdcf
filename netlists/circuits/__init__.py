"""Circuits: the array as PySpice, blocks of its columns, its pulses in time, and the deck that runs."""
