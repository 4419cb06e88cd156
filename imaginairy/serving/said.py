"""What a server logs: who asked for what kind of thing, and nothing of what was said.

What the library says of a prompt may quote it, so that is another log.
"""

import logging

from imaginairy.log import Printable

said = logging.getLogger("imaginairy.serving")
said.addFilter(Printable())
