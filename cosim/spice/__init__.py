"""ngspice as a program: which one, one process per deck, what it wrote, and the ladder of safer options."""
