"""The bridge: ngspice campaigns, data sets, cross-validation, sign-off, reports and the command line."""
