"""How networks are named in files: one file a network, sizes and names together."""
