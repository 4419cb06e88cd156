"""The models that find and restore faces."""
