"""Weights at web addresses, such as those of sites where people share LoRAs.

They are kept in a folder of the cache that is named for the address, without what a
query says to show who asks. What is there is used as it is.
"""

import hashlib
import logging
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imaginairy.errors import DownloadError
from imaginairy.urls import without_secrets

logger = logging.getLogger("imaginairy")

WEIGHTS = re.compile(rb"[\s\S]{8}\{|PK\x03\x04|\x80[\x02-\x05]")
"""How safetensors, archives of PyTorch's and pickles begin."""
NAME = re.compile(r"filename\*?=(?:UTF-8'')?\"?([^\";]+)", re.IGNORECASE)
UNUSABLE = re.compile(r"[^\w. ()+-]|^\.+")
ENDINGS = (".safetensors", ".pt", ".ckpt", ".bin", ".pth")
PART, LOCK = ".part", ".lock"
LONGEST = 100
"""Letters of a file's name."""


def cached_from(url: str, folder: Path) -> Path | None:
    """Return where what came from an address lies, or None."""
    try:
        files = [*_own(url, folder).iterdir()]
    except OSError:
        return None
    return next((file for file in files if not file.name.startswith(".")), None)


def fetch_from(url: str, folder: Path) -> Path:
    """Return where what lies at an address is kept, fetching it if need be.

    Raises:
        InvalidUrlError: it is no address of the web, or leads to none of a public host.
        DownloadError: it could not be fetched, or is no file of weights.
    """
    from filelock import FileLock

    from imaginairy.addresses import receive_weights

    if found := cached_from(url, folder):
        return found
    own, shown = _own(url, folder), without_secrets(url)
    part = own / PART
    try:
        own.mkdir(parents=True, exist_ok=True)
        with FileLock(own / LOCK):
            if found := cached_from(url, folder):
                return found
            logger.info("fetching %s", shown)
            with part.open("wb") as opened:
                said = receive_weights(url, opened.write)
            with part.open("rb") as opened:
                is_weights = WEIGHTS.match(opened.read(16))
            if is_weights:
                return part.replace(own / _name(said, url))
            part.unlink()
            raise DownloadError(
                f"What lies at '{shown}' is no file of weights; give the address that "
                "a browser saves the file from, or its path."
            )
    except OSError as error:
        raise DownloadError(
            f"'{shown}' could not be kept in {own} ({error.strerror or error})."
        ) from error


def _own(url: str, folder: Path) -> Path:
    name = hashlib.sha256(without_secrets(url).encode(errors="replace")).hexdigest()
    return folder / name[:16]


def _name(said: str, url: str) -> str:
    """Return what a file is called, by its server or else by its address."""
    found = NAME.search(said)
    name = found[1] if found else urlsplit(url).path.rpartition("/")[2]
    name = unquote(name).replace("\\", "/").rpartition("/")[2]
    name = UNUSABLE.sub("_", name[-LONGEST:])
    return name if name.lower().endswith(ENDINGS) else f"adapter{ENDINGS[0]}"
