"""Connections that nobody holds for longer than a request and its answer may take.

Uvicorn waits without end for a request to begin, and for an answer to be read. Its h11
is there wherever it is.
"""

from asyncio import BaseTransport, TimerHandle

from uvicorn.protocols.http.h11_impl import H11Protocol

from imaginairy.serving.limits import Limits


def connections(limits: Limits) -> type[H11Protocol]:
    """Return what speaks HTTP on each connection, within such limits."""

    class Connection(H11Protocol):
        """Ends where no request comes, or no answer is read, in time."""

        ending: TimerHandle | None = None

        def connection_made(self, transport: BaseTransport) -> None:
            """Wait for a first request."""
            super().connection_made(transport)  # type: ignore[arg-type]
            self._end_in(limits.body_seconds)

        def data_received(self, data: bytes) -> None:
            """Take what arrives; once it is a request, its answer is waited for."""
            super().data_received(data)
            if self._is_asked():
                self._go_on()

        def on_response_complete(self) -> None:
            """Wait for the rest of an answer to be read, and for another request."""
            super().on_response_complete()
            if not self._is_asked():
                is_read = not self.transport.get_write_buffer_size()
                self._end_in(limits.body_seconds if is_read else limits.seconds)

        def pause_writing(self) -> None:
            """Wait for an answer to be read."""
            super().pause_writing()
            self._end_in(limits.seconds)

        def resume_writing(self) -> None:
            """Go on with an answer that is read, or wait for another request."""
            super().resume_writing()
            self._go_on()
            if not self._is_asked():
                self._end_in(limits.body_seconds)

        def connection_lost(self, exc: Exception | None) -> None:
            """Wait no more."""
            super().connection_lost(exc)
            self._go_on()

        def _is_asked(self) -> bool:
            """Tell whether there is a request whose answer is not all written."""
            return self.cycle is not None and not self.cycle.response_complete

        def _end_in(self, seconds: float) -> None:
            self._go_on()
            if self in self.connections:  # otherwise it is lost
                self.ending = self.loop.call_later(seconds, self.transport.abort)

        def _go_on(self) -> None:
            if self.ending is not None:
                self.ending.cancel()
                self.ending = None

    return Connection
