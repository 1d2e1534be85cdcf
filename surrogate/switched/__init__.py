"""Arrays of resistive cells whose access devices disconnect idle rows: charges under instantaneous bit-line drop."""
