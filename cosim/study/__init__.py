"""Accuracy-versus-layout studies: one design, many variants of it, and what each means for a network."""
