"""The fields of a prompt, a file for each section of `--help`."""
