"""What a server does not do: each refusal is a sentence, and a status of HTTP."""

from math import ceil

from imaginairy.errors import ImaginairyError


class RefusedError(ImaginairyError):
    """A request that is not answered with what it asks for."""

    status = 400
    code = "bad_request"
    """What programs tell it by."""
    param: str | None = None
    """Which field of the request it is about, where that is known."""
    headers: dict[str, str]

    def __init__(self, message: str, **headers: str) -> None:
        super().__init__(message)
        self.headers = {name.replace("_", "-"): it for name, it in headers.items()}


class KeyMissingError(RefusedError):
    """There is no key, or one that is not known."""

    status, code = 401, "invalid_api_key"

    def __init__(self, message: str) -> None:
        super().__init__(message, WWW_Authenticate="Bearer")


class ForeignOriginError(RefusedError):
    """A page of elsewhere asks, or under a name that is not the server's."""

    status, code = 403, "forbidden"


class NotOfferedError(RefusedError):
    """A model or an adapter that this server does not have, or no such page."""

    status, code = 404, "not_found"


class TooSlowError(RefusedError):
    """A request that does not arrive."""

    status, code = 408, "request_timeout"


class TooLargeError(RefusedError):
    """A request of more bytes than are read."""

    status, code = 413, "request_too_large"


class WrongTypeError(RefusedError):
    """A body of a type that is not read."""

    status, code = 415, "unsupported_media_type"


class OverLimitError(RefusedError):
    """A picture that is larger, or more work, than the server does."""

    status, code = 422, "over_limit"


class BusyError(RefusedError):
    """There is no room for another request.

    Args:
        retry_after_s: when there may be.
    """

    status, code = 429, "busy"

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = max(1, ceil(retry_after_s))
        super().__init__(message, Retry_After=str(self.retry_after_s))


class LeftError(RefusedError):
    """Who asked went away; nobody reads this but the log."""

    status, code = 499, "client_closed_request"


class UnavailableError(RefusedError):
    """The server cannot draw just now: it is loading, or stopping, or too late."""

    status, code = 503, "unavailable"
