"""One VMM of an array in ngspice: whole or in blocks of columns, its checks, and the read curve of its cells."""
