"""What an engine did so far, and how long a picture takes it of late."""

from dataclasses import dataclass

FRESH = 0.2
"""How much the last batch counts in what a picture takes."""


@dataclass
class Counts:
    """What an engine did so far."""

    pictures: int = 0
    failed: int = 0
    left: int = 0
    """Requests that were given up, by who asked or for taking too long."""
    batches: int = 0
    seconds: float = 0.0
    """In which it was computing."""
    seconds_a_picture: float = 0.0
    """Of late."""

    def add_time(self, pictures: int, seconds: float) -> None:
        """Count the time of a batch that was drawn, or left."""
        each = seconds / pictures
        self.seconds += seconds
        before = self.seconds_a_picture or each
        self.seconds_a_picture = before + FRESH * (each - before)
