"""The published comparison on simulated layouts: their surrogates, the sign-off of any network in SPICE, the table."""
