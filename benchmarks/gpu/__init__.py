"""What a GPU makes of us: every way to run the networks, beside diffusers."""
