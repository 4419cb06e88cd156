"""Models written in another layout or precision, and what two of them differ in."""
