"""Tags in picture files: everything that made a picture, and back."""
