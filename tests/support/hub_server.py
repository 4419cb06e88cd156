"""A small model hub on localhost, with faults that can be switched on.

It speaks the part of the Hugging Face hub's protocol that the real client needs to list
a repository and to download from it.
"""

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote, urlsplit

LIST_PATH = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(/revision/(?P<rev>[^/]+))?")
FILE_PATH = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)")


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""


@dataclass
class Repo:
    """A repository of one commit, and maybe of others by name."""

    files: dict[str, bytes]
    token: str | None = None
    """If set, the repository is gated, and this token opens it."""
    known_as: str = ""
    """The name of its commit, where that is to be a certain one."""
    branches: "dict[str, Repo]" = field(default_factory=dict)
    """Other revisions of it, by their names."""

    @property
    def commit(self) -> str:
        """Name the commit by its content, unless it has a name."""
        if self.known_as:
            return self.known_as
        whole = hashlib.sha1()
        for path, content in sorted(self.files.items()):
            whole.update(b"%s\0%d\0" % (path.encode(), len(content)) + content)
        return whole.hexdigest()

    def at(self, revision: str) -> "Repo | None":
        """Return it as it is in a revision, or None where there is no such one."""
        for name, repo in {"main": self, **self.branches}.items():
            if revision in (name, repo.commit):
                return repo
        return None


@dataclass
class HubServer:
    """The server; use it as a context manager. Faults may be set while it runs."""

    repos: dict[str, Repo] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    drops: dict[str, int] = field(default_factory=dict)
    """How often to break off half-way through what is left of a file, by its path."""
    forged: set[str] = field(default_factory=set)
    """Paths of the files of which other bytes are sent, as many as there should be."""
    status: int = 200
    """Answer everything with this status, unless it is 200."""
    web_page: bool = False
    """Answer everything as a web server would that is no hub."""
    silent: bool = False
    """Answer nothing, until the server is closed."""
    ranges: bool = True
    """Whether a part of a file may be asked for; where not, the whole is sent."""
    lists: bool = True
    """Whether it says which files a repository has."""
    holds: bool = False
    """Send half of anything, and the rest when told to `go_on`, or at the end."""
    _going_on: threading.Event = field(default_factory=threading.Event)
    _closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "HubServer":
        hub = self

        class BoundHandler(_Handler):
            def setup(self) -> None:
                self.hub = hub
                super().setup()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), BoundHandler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self.go_on()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its address, as in HF_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait_while_silent(self) -> None:
        """Return at once, or when the server closes."""
        if self.silent:
            self._closing.wait()

    def go_on(self) -> None:
        """Send the rest of what is held, and hold nothing any more."""
        self.holds = False
        self._going_on.set()

    def wait_while_held(self) -> None:
        """Return at once, or when told to go on."""
        if self.holds:
            self._going_on.wait()

    def downloads(self) -> list[str]:
        """Return the paths in their repositories of all files asked for, in order."""
        asked = [r.path for r in self.requests if r.method == "GET"]
        return [found["path"] for path in asked if (found := FILE_PATH.fullmatch(path))]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def handle(self) -> None:
        """Let a client go that has heard enough."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        path = urlsplit(self.path).path  # a proxy is asked for a whole address
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, path, headers))
        self.hub.wait_while_silent()
        if self.hub.status != 200:
            headers = {"Retry-After": "0", "Location": "http://127.0.0.1:1/"}
            self._send(self.hub.status, b"", headers)
        elif found := FILE_PATH.fullmatch(path):
            self._in_repo(found, self._send_file)
        elif found := LIST_PATH.fullmatch(path):
            self._in_repo(found, self._send_list)
        else:
            self._send(200, b"Hello", {})

    def _in_repo(
        self, found: re.Match[str], send: Callable[[Repo, str, str], None]
    ) -> None:
        names = {
            key: unquote(value or "main") for key, value in found.groupdict().items()
        }
        repo = self.hub.repos.get(names["repo"])
        token = self.headers.get("Authorization")
        if self.hub.web_page:
            self._send(200, b"<p>Please sign in", {"Content-Type": "text/html"})
        elif repo is None:
            self._refuse(401 if token is None else 404, "RepoNotFound")
        elif repo.token is not None and token != f"Bearer {repo.token}":
            self._refuse(401 if token is None else 403, "GatedRepo")
        elif (there := repo.at(names["rev"])) is None:
            self._refuse(404, "RevisionNotFound")
        else:
            send(there, names["repo"], names.get("path", ""))

    def _send_list(self, repo: Repo, name: str, _path: str) -> None:
        siblings = [{"rfilename": path} for path in repo.files]
        info: dict[str, object] = {"id": name, "sha": repo.commit}
        if self.hub.lists:
            info["siblings"] = siblings
        body = json.dumps(info).encode()
        self._send(200, body, {"Content-Type": "application/json"})

    def _send_file(self, repo: Repo, _name: str, path: str) -> None:
        content = repo.files.get(path)
        if content is None:
            self._refuse(404, "EntryNotFound", {"X-Repo-Commit": repo.commit})
            return
        headers = {
            "X-Repo-Commit": repo.commit,
            "ETag": f'"{_etag(path, content)}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        if path in self.hub.forged:
            content = bytes(byte ^ 1 for byte in content)
        status, start = 200, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and int(asked[1]) >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        if asked and self.hub.ranges:
            status, start = 206, int(asked[1])
            end = len(content) - 1
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        drop = self.command == "GET" and self.hub.drops.get(path, 0) > 0
        if drop:
            self.hub.drops[path] -= 1
        self._send(status, content[start:], headers, drop=drop)

    def _refuse(
        self, status: int, code: str, more: dict[str, str] | None = None
    ) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": f"Refused: {code}"}
        self._send(status, b"", headers | (more or {}))

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], *, drop: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            sent = body[: len(body) // 2] if drop else body
            half = len(sent) // 2
            self.wfile.write(sent[:half])
            self.hub.wait_while_held()
            self.wfile.write(sent[half:])
        self.close_connection = drop


def _etag(path: str, content: bytes) -> str:
    """Return what the hub names a file: by SHA-256 if large, else as git does."""
    if path.endswith((".safetensors", ".ckpt", ".bin")):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()
