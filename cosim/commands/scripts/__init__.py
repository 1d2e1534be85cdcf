"""Command lines of the programs in scripts/ that compute for hours: what they ask for, how they end."""
