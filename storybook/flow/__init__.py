"""A small flow transformer of Z-Image's kind, its language model and its autoencoder."""
