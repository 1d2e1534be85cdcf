"""What imperfect hardware does to a VMM: on the currents and states that cells are left with, on pulse widths, on
charges and on what converters show. Each effect is one small frozen class in a file of its own."""
