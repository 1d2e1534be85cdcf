"""The fit of a surrogate: to programmed, measured, linear and switched arrays, and how sure it is of what it found."""
