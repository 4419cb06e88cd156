"""The models that put pictures into words, and the words that are known."""
