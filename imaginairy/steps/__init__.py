"""What a picture goes through, call by call; `generate.py` joins them."""
