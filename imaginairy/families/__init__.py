"""The families of models that can draw: what each is made of and how it is told."""
