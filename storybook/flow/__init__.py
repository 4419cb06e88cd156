"""A small flow transformer of Z-Image's kind, and the networks that go with it."""
