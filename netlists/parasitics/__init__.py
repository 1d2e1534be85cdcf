"""Extracted parasitics: DSPF, SPEF and SPICE files read, mapped onto the array, and written."""
