"""Fetch single files of weights from the web, checked and resumed where broken off.

They lie in this user's cache of imaginairy, each in a folder named for its SHA-256.
The hub's client asks for them, so its switches (HF_HUB_OFFLINE) and proxies hold here.
"""

import logging
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from imaginairy.errors import DownloadError, HubUnreachableError, ImaginairyError
from imaginairy.sources import hub
from imaginairy.sources.checksum import remember, summed
from imaginairy.sources.rows import WebFile

logger = logging.getLogger("imaginairy")

ATTEMPTS = 5
"""How often in a row an answer may break off without having brought anything."""
LEAST_SHOWN = 1_000_000
"""Bytes from which on a download is told of."""


def place_of(file: WebFile) -> Path:
    """Return where a file lies once it was fetched."""
    return user_cache_path("imaginairy") / "weights" / file.sha256[:16] / file.name


def cached(file: WebFile) -> Path | None:
    """Return where a file lies on this machine, or None; never uses the network."""
    path = place_of(file)
    try:
        return path if path.is_file() and path.stat().st_size == file.size else None
    except PermissionError:  # a cache that may not be looked into, as after `sudo`
        return None


def fetch(file: WebFile) -> Path:
    """Return where a file lies on this machine, downloading and checking it if need be.

    What was received before is kept and gone on with. Several processes that want the
    same file wait for each other.

    Raises:
        HubUnreachableError: nobody answers, or the network is switched off.
        DownloadError: the download fails, or brings something else than announced;
            such a file is removed.
    """
    from filelock import FileLock

    if found := cached(file):
        return found
    path = place_of(file)
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock")):
            if found := cached(file):
                return found
            reason = hub.unreachable_reason(hub.answer_timeout_s(), file.server)
            if reason is not None:
                raise HubUnreachableError(
                    f"'{file.name}' cannot be downloaded: {reason}."
                )
            receive_all(file, part)
            check(file, part)
            part.replace(path)
            remember(path, file.sha256)
    except OSError as error:
        if error.errno not in hub.NO_ROOM:
            raise
        raise DownloadError(
            f"There is no room for '{file.name}' in {path.parent}; make some, or set "
            "XDG_CACHE_HOME to a folder on another disk."
        ) from error
    return path


def receive_all(file: WebFile, part: Path) -> None:
    """Receive what is missing, asking again as long as something new arrives."""
    from huggingface_hub import constants
    from tqdm import tqdm

    if _size(part) > file.size:
        part.unlink()
    if file.size >= LEAST_SHOWN:
        logger.info("fetching %s from %s", file.name, file.url)
    bar = tqdm(
        desc=file.name,
        total=file.size,
        initial=_size(part),
        unit="B",
        unit_scale=True,
        disable=constants.HF_HUB_DISABLE_PROGRESS_BARS
        or None,  # None: unless at a terminal
    )
    failures = 0
    with bar:
        while _size(part) < file.size:
            before = _size(part)
            try:
                _receive(file, part, bar)
            except (ImaginairyError, OSError):
                raise
            except Exception as error:  # the client's, of whichever version it is
                failures = 0 if _size(part) > before else failures + 1
                if failures == ATTEMPTS:
                    raise DownloadError(
                        f"'{file.name}' could not be downloaded from {file.url}: "
                        f"{hub.reason_of(error, file.server)}; what has arrived is "
                        "kept, try again."
                    ) from error
            else:
                return  # it may be shorter than announced, which is for `check`


def _receive(file: WebFile, part: Path, bar: Any) -> None:
    """Receive what one answer brings; raise what the client does if it breaks off."""
    from huggingface_hub import constants, get_session

    start = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    timeout_s = constants.HF_HUB_DOWNLOAD_TIMEOUT
    request = get_session().stream("GET", file.url, headers=headers, timeout=timeout_s)
    with request as answer:
        if start and answer.status_code == 416:  # there is nothing beyond
            part.unlink()
            bar.update(-start)
            _receive(file, part, bar)
            return
        if answer.status_code not in (200, 206):
            raise DownloadError(
                f"'{file.name}' could not be downloaded: {file.server} answered "
                f"{answer.status_code} to {file.url}."
            )
        goes_on = answer.status_code == 206
        if not goes_on:
            bar.update(-start)
        with part.open("ab" if goes_on else "wb") as stream:
            for chunk in answer.iter_bytes():
                stream.write(chunk)
                bar.update(len(chunk))
                if stream.tell() > file.size:
                    return  # more than was announced; its sum will not be right


def check(file: WebFile, part: Path) -> None:
    """Compare what arrived with what was announced; remove it where that differs."""
    expected = {"size": file.size, "sha256": file.sha256}
    got = {"size": _size(part), "sha256": summed(part)}
    for name, value in expected.items():
        if got[name] != value:
            part.unlink()
            raise DownloadError(
                f"'{file.name}' arrived from {file.url} with {name} {got[name]} "
                f"instead of {value} and was removed; try again."
            )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
