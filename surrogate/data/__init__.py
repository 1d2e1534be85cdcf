"""Image data sets: official files read strictly, pixels in 0..1, split into training and test images."""
