"""Noise of a design's cells in ngspice: spectra by ``.noise``, the closed forms' parameters, transients
that check them.

ngspice puts no device noise into transients by itself; there it is injected by ``trnoise`` sources.
"""
