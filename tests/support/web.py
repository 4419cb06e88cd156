"""The web on this machine: a proxy that answers for every host, over TLS too."""

import contextlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import trustme


class Web:
    """Answers every address with the same bytes; use it as a context manager.

    Args:
        content: what is answered.
        folder: where the certificate of its authority is put.
    """

    def __init__(self, content: bytes, folder: Path) -> None:
        self.content = content
        self.asked: list[str] = []
        """Host and path of each request."""
        self.authority = trustme.CA()
        self._certificate = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(self._certificate)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a program ask here."""
        proxy = f"http://127.0.0.1:{self._server.server_port}"
        return {
            "http_proxy": proxy,
            "https_proxy": proxy,
            "SSL_CERT_FILE": str(self._certificate),
        }

    def __enter__(self) -> "Web":
        web = self

        class BoundHandler(_Handler):
            def setup(self) -> None:
                self.web, self.host = web, ""
                super().setup()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), BoundHandler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web
    host: str

    def do_CONNECT(self) -> None:
        """Go on as the host that is asked for."""
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.rfile.close()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.web.authority.issue_cert(self.host).configure_cert(context)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer."""
        self.web.asked.append(f"{self.host}{self.path}")
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.web.content)))
        self.end_headers()
        self.wfile.write(self.web.content)
        self.close_connection = True

    def finish(self) -> None:
        """Close what was wrapped around the connection, too."""
        super().finish()
        self.connection.close()

    def handle(self) -> None:
        """Let a client go that trusts no certificate of ours."""
        with contextlib.suppress(ssl.SSLError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
