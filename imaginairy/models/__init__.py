"""Which models there are, where their weights lie, and how they are loaded."""
