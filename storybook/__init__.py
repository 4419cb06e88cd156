"""Draw a small picture world and train the bundled models on it."""
