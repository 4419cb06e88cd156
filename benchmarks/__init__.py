"""How fast and large we are, beside diffusers on the same weights in one run."""
