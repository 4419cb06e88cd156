"""What every test and every process that it starts relies on, on any machine.

Imported before torch and the package, which read some of it once.
"""

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from tests.support.hub_environment import PATIENT

HOME = Path(tempfile.mkdtemp(prefix="imaginairy-tests-"))
OURS = {
    "HOME": str(HOME),
    "HF_HOME": str(HOME / "hub"),
    "XDG_CACHE_HOME": str(HOME / "cache"),
    "XDG_CONFIG_HOME": str(HOME / "config"),
    "XDG_DATA_HOME": str(HOME / "data"),
    "XDG_STATE_HOME": str(HOME / "state"),
    "HF_HUB_OFFLINE": "1",
    **PATIENT,
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Each processor computes half precision in its own way, or does not.
    "IMAGINAIRY_PRECISION": "full",
    "TOKENIZERS_PARALLELISM": "false",
}
THEIRS = re.compile(
    # what is fetched, and how
    r"(HF|HUGGING_?FACE|TRANSFORMERS|DIFFUSERS)_\w+|\w+_proxy"
    # what we read ourselves
    r"|(IMAGINAIRY|STORYBOOK|_AIMG|_IMAGINE)_\w+"
    # how things are shown
    r"|COLUMNS|LINES|(NO|FORCE|CLICOLOR|PY)_?(COLORS?|FORCE)|CLICOLOR|TTY_\w+"
    # how programs that tests start behave
    r"|PYTHON(WARNINGS|OPTIMIZE|INSPECT|SAFEPATH|NOUSERSITE)|MAKEFLAGS|MAKELEVEL",
    re.IGNORECASE,
)
"""Names of variables by which a user changes what our commands or their tools do."""


def settle() -> None:
    """Take the user's variables away, and Ctrl-C back where it is ignored.

    What is started in the background of a script ignores it, and so do its children.
    """
    for name in filter(THEIRS.fullmatch, list(os.environ)):
        del os.environ[name]
    os.environ |= OURS
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave() -> None:
    """Remove what was left in the home of the tests."""
    shutil.rmtree(HOME, ignore_errors=True)
