"""The model that masks what a phrase names."""
