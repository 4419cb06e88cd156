"""Hints: pictures that steer what is drawn, made of other pictures."""
