"""The model that enlarges."""
