"""Fetch files from the Hugging Face hub, and say plainly why when that fails.

The real client does the work, so its cache, progress bars and environment variables
(HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, proxies) hold here as well. What is in
the cache is used as it is: no request is made for it, and it is not hashed again.
"""

import errno
import json
import logging
import os
import queue
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from imaginairy.errors import (
    DownloadError,
    HubUnreachableError,
    ImaginairyError,
    UnknownModelError,
)
from imaginairy.sources.checksum import SHA256, remember, summed
from imaginairy.sources.rows import HubFile

logger = logging.getLogger(__name__)

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cached_snapshot(repo: str, revision: str = "main") -> Path | None:
    """Return the folder of what is in the cache of a repository, or None.

    Never uses the network. The folder may hold only some of the repository's files. A
    cache that may not be looked into, as after `sudo`, holds nothing.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}"
    ref = folder / "refs" / revision
    try:
        commit = ref.read_text().strip() if ref.is_file() else revision
        snapshot = folder / "snapshots" / commit
        return snapshot if snapshot.is_dir() else None
    except PermissionError:
        return None


def cached(file: HubFile) -> Path | None:
    """Return where a file lies in the cache, or None; never uses the network."""
    snapshot = cached_snapshot(file.repo, file.revision)
    found = snapshot / file.path if snapshot else None
    return found if found and found.is_file() else None


def fetch(file: HubFile) -> Path:
    """Return where a file lies in the cache, downloading and checking it if need be.

    Raises HubUnreachableError if the hub does not answer, UnknownModelError if it has
    no such repository, and DownloadError if it refuses, the download fails or brings
    something else than was announced; such a file is removed.
    """
    found = cached(file)
    if found is not None:
        return found
    _require_hub(f"'{file.path}' of '{file.repo}'")
    return _download(file)


def fetch_many(
    repo: str,
    paths: Sequence[str],
    revision: str = "main",
    sha256: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Return the folder of a repository's snapshot, with all these files in it.

    They are downloaded in the order given, all from one commit, so the last one being
    there means that all are. Raises what `fetch` raises.

    Args:
        sha256: the sums of those files whose sum is known.
    """
    snapshot = cached_snapshot(repo, revision)
    if snapshot and all((snapshot / path).is_file() for path in paths):
        return snapshot
    _require_hub(f"'{repo}'")
    first, *rest = paths
    begun = HubFile(repo, first, revision, sha256=sha256.get(first))
    snapshot = _download(begun).parents[first.count("/")]
    for path in rest:
        _download(HubFile(repo, path, snapshot.name, sha256=sha256.get(path)))
    return snapshot


def repo_files(repo: str, revision: str = "main") -> list[str]:
    """Return the names of a repository's files, sorted.

    If the hub cannot say, the names of those in the cache. Raises what `fetch` raises,
    if there are none.
    """
    from huggingface_hub import HfApi, constants

    what = f"The list of files of '{repo}'"
    try:
        _require_hub(what)
        with _explained(what, HubFile(repo, "", revision)):
            timeout_s = constants.HF_HUB_ETAG_TIMEOUT
            info = HfApi().model_info(repo, revision=revision, timeout=timeout_s)
            return sorted(sibling.rfilename for sibling in info.siblings or [])
    except DownloadError as error:
        snapshot = cached_snapshot(repo, revision)
        if snapshot is None:
            raise
        logger.warning("%s Using the files in the cache.", error)
        files = (path for path in snapshot.rglob("*") if path.is_file())
        return sorted(path.relative_to(snapshot).as_posix() for path in files)


def peeked(file: HubFile) -> bytes:
    """Return what a small file of a repository holds; it is not kept in the cache.

    Raises what `fetch` raises.
    """
    from huggingface_hub import get_session, hf_hub_url, utils

    client: Any = utils  # which says of none of these that it exports it
    if found := cached(file):
        return found.read_bytes()
    what = f"'{file.path}' of '{file.repo}'"
    _require_hub(what)
    with _explained(what, file):
        url = hf_hub_url(file.repo, file.path, revision=file.revision)
        answer = get_session().get(
            url, headers=client.build_hf_headers(), timeout=answer_timeout_s(),
            follow_redirects=True,
        )  # fmt: skip
        client.hf_raise_for_status(answer)
        content: bytes = answer.content
        return content


def unreachable_reason(timeout_s: float = 3.0, server: str | None = None) -> str | None:
    """Return why the hub cannot be reached, in a few words, or None if it can.

    Anything that it answers within `timeout_s` seconds counts, a refusal included.

    Args:
        server: the address of another server to ask in its place.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        hub_offline = os.environ.get("HF_HUB_OFFLINE")
        return f"{'HF_HUB_OFFLINE' if hub_offline else 'TRANSFORMERS_OFFLINE'} is set"
    endpoint = server or constants.ENDPOINT
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    try:
        session = get_session()  # here, as what takes this machine's time is no answer
    except Exception as refusal:  # variables that the client cannot use
        return f"{reason_of(refusal, endpoint)} ({endpoint})"

    def ask() -> None:
        try:
            session.head(endpoint, timeout=2 * timeout_s, follow_redirects=False)
        except Exception as error:
            answers.put(error)
        else:
            answers.put(None)

    # Resolving a name has no time limit of its own: the thread may have to be left.
    threading.Thread(target=ask, name="ask-hub", daemon=True).start()
    try:
        error = answers.get(timeout=timeout_s)
    except queue.Empty:
        return f"no answer from {endpoint} within {timeout_s:g} seconds"
    return None if error is None else f"{reason_of(error, endpoint)} ({endpoint})"


def answer_timeout_s() -> float:
    """Return how long a server may take to answer, as the client's variables say."""
    from huggingface_hub import constants

    return constants.HF_HUB_ETAG_TIMEOUT


def _require_hub(what: str) -> None:
    """Fail in seconds where the client would retry for minutes."""
    reason = unreachable_reason(answer_timeout_s())
    if reason is not None:
        raise HubUnreachableError(f"{what} cannot be downloaded: {reason}.")


def _download(file: HubFile) -> Path:
    from huggingface_hub import hf_hub_download

    with _explained(f"'{file.path}' of '{file.repo}'", file):
        path = Path(hf_hub_download(file.repo, file.path, revision=file.revision))
        _check(path, file)
    return path


def _check(path: Path, file: HubFile) -> None:
    """Compare with the sums of the catalog, or else with the hub's own."""
    etag = path.readlink().name if path.is_symlink() else ""
    announced = etag if SHA256.fullmatch(etag) else None
    expected = {"size": file.size, "sha256": file.sha256 or announced}
    try:
        size, digest = path.stat().st_size, summed(path)
    except BaseException:  # unchecked, so it must not look cached; its blob may stay
        path.unlink()
        raise
    got = {"size": size, "sha256": digest}
    for name, value in expected.items():
        if value is not None and value != got[name]:
            _remove(path)
            raise DownloadError(
                f"'{file.path}' of '{file.repo}' arrived with {name} {got[name]} "
                f"instead of {value} and was removed; try again."
            )
    remember(path, digest)


def _remove(path: Path) -> None:
    """Delete a file of the cache, and each file that it is a link to."""
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink()


@contextmanager
def _explained(what: str, file: HubFile) -> Iterator[None]:
    """Turn whatever the client raises into one of our errors."""
    before = sys.exc_info()[1]
    try:
        yield
    except ImaginairyError:
        raise
    except Exception as error:
        raise _explanation(error, what, file, before) from error


def _explanation(
    error: Exception, what: str, file: HubFile, before: BaseException | None
) -> ImaginairyError:
    from huggingface_hub import constants, errors

    repo, endpoint, unanswered = file.repo, constants.ENDPOINT, False
    if isinstance(error, errors.LocalEntryNotFoundError):
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
        unanswered = not isinstance(error, errors.HfHubHTTPError)
    reason = reason_of(error, endpoint, before)
    closed = DownloadError(
        f"'{repo}' is not open to everyone: accept its licence on {endpoint}/{repo} "
        f"and set HF_TOKEN to a valid access token of that account ({reason})."
    )
    match error:
        case errors.HFValidationError():
            return UnknownModelError(f"'{repo}' cannot be a repository's owner/name.")
        case errors.GatedRepoError():
            return closed
        case errors.RepositoryNotFoundError():
            return UnknownModelError(
                f"There is no repository '{repo}' on {endpoint}; check the name, or "
                "set HF_TOKEN if it is private."
            )
        case errors.RevisionNotFoundError():
            return DownloadError(f"'{repo}' has no revision '{file.revision}'.")
        case errors.RemoteEntryNotFoundError():
            return DownloadError(
                f"'{repo}' has no file '{file.path}' in revision '{file.revision}'."
            )
        case errors.HfHubHTTPError() if error.response.status_code in (401, 403):
            return closed
        case errors.FileMetadataError() | json.JSONDecodeError():
            return DownloadError(
                f"What answers at {endpoint} is not a model hub; check HF_ENDPOINT, "
                "the proxy and the sign-in page of the network."
            )
        case OSError() if error.errno in NO_ROOM:
            return DownloadError(
                f"There is no room for {what} in {constants.HF_HUB_CACHE} ({reason}); "
                "make some, or set HF_HOME to a folder on another disk."
            )
    kind = HubUnreachableError if unanswered else DownloadError
    return kind(f"{what} could not be downloaded: {reason}.")


def reason_of(
    error: BaseException, server: str, before: BaseException | None = None
) -> str:
    """Say in a few words what is behind an error of the client.

    Args:
        server: the address that was asked.
        before: what the caller was handling already, which the error may be chained to.
    """
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        said = _first_line(error.server_message or "")
        answer = f"the hub answered {error.response.status_code}"
        return f"{answer}, {said}" if said else answer
    while (below := error.__cause__ or error.__context__) not in (None, before):
        error = below
    if isinstance(error, socket.gaierror):
        url = urlsplit(server)
        host = url.hostname or server
        proxied = {url.scheme, "all"} & set(getproxies()) and not proxy_bypass(host)
        return f"cannot resolve {'the proxy for ' if proxied else ''}{host}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return _first_line(str(error)) or type(error).__name__


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0].rstrip(".")
