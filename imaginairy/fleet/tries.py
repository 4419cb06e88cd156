"""How often something is tried, by one worker after another, before it is given up."""

TRIES = 3
