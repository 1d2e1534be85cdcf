"""The fast engine: charges of many tiles at nearly the price of a matrix product."""
