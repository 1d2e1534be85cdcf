"""A retrained network: its training over seeds, its file, and its sign-off in SPICE."""
