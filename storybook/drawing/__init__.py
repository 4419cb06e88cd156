"""The model that draws: autoencoder, words to vectors, and the UNet."""
