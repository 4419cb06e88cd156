"""What the library says, as lines of a terminal."""

import logging
import sys

from tqdm import tqdm

from imaginairy.printable import printable


class LogLines(logging.Handler):
    """Show log lines past any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line."""
        tqdm.write(printable(self.format(record)), file=sys.stderr)
