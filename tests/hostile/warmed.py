"""Models that are loaded once for all commands."""

import contextlib
import ctypes
import gc
import io
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from tests.hostile import doors


def warmed() -> Stores:
    """Load once what every command needs, so that each run only forks."""
    stores = Stores()
    folder = Path(tempfile.mkdtemp())
    before = Path.cwd()
    os.chdir(folder)
    try:
        Image.new("RGB", (64, 64)).save("good.png")
        for door in doors.PICTURE:
            words = shlex.split(door.format("good.png"))
            with (
                contextlib.suppress(SystemExit),
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                aimg.main(words, obj=stores)
    finally:
        os.chdir(before)
        shutil.rmtree(folder)
    gc.collect()
    with contextlib.suppress(Exception):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return stores
