"""What a cell's transistor may be: the built-in generic card, a sky130 device, or the designer's own model."""
