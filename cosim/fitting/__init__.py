"""Surrogates from SPICE runs or measurements: fitted, held against runs unseen, and against larger arrays."""
