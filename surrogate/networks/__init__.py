"""Software networks as plain torch modules; every layer with weights is given inputs that are not negative."""
