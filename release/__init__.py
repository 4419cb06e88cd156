"""What is done before a release: build, list what is inside, try it, look for holes."""
