"""From a design's ``layout:`` section to drawn polygons: conductors, GDS and OASIS files, pictures, rule checks."""
