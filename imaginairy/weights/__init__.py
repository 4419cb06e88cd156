"""Tensors in files and folders, and networks strictly assembled from them."""
