"""Training of any torch module: recipes in files, checkpoints that resume to the bit, learning curves."""
