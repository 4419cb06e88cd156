"""Adapters for the model that draws: styles, a word and fewer steps."""
