"""Where a server listens, and who may ask there."""

import ipaddress
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from imaginairy.errors import BadOptionError
from imaginairy.fleet.surroundings import KEY_VARIABLE
from imaginairy.serving.guard import LOCAL_NAMES

LOCALHOST, LOOPBACK = "localhost", "127.0.0.1"


@dataclass(frozen=True)
class Listening:
    """A place to listen at that is taken already."""

    socket: socket.socket
    keys: Collection[str]
    """Those that requests may come with; none where everybody may ask."""
    names: Collection[str] | None
    """Those that the server goes by; None where any will do."""
    origins: Collection[str]
    """Whose pages may ask."""

    @classmethod
    def asked(
        cls,
        host: str,
        port: int,
        names: Collection[str] = (),
        origins: Collection[str] = (),
        *,
        no_key: bool = False,
    ) -> "Listening":
        """Take the place that somebody asks for; the environment names the keys.

        Args:
            host: an address of this machine, or `localhost`.
            port: 0 takes any that is free.
            names: others that the server goes by.
            origins: whose pages may ask.
            no_key: whether everybody may ask.

        Raises:
            BadOptionError: there is no such address, the port is taken, or other
                machines reach it and there is no key.
        """
        keys = () if no_key else keys_given()
        require_key(host, keys, no_key=no_key)
        where = names_of(host, names)
        return cls(bound(host, port), keys, where, frozenset(origins))

    @property
    def place(self) -> tuple[str, int]:
        """Its host and its port."""
        host, port = self.socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def address(self) -> str:
        """What it is asked at."""
        return web_address(*self.place)

    def told(self) -> dict[str, Any]:
        """Return what there is to know, without the keys."""
        return {
            "address": self.address,
            "keys": len(self.keys),
            "names": None if self.names is None else sorted(self.names),
            "origins": sorted(self.origins),
        }

    def close(self) -> None:
        """Let go of the place."""
        self.socket.close()


def web_address(host: str, port: int) -> str:
    """Return how something at a host and a port is asked by HTTP."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def keys_given() -> list[str]:
    """Return the keys that the environment names, apart by commas or blanks.

    Raises:
        BadOptionError: one has characters that no header can have.
    """
    keys = os.environ.get(KEY_VARIABLE, "").replace(",", " ").split()
    if not all(key.isascii() and key.isprintable() for key in keys):
        raise BadOptionError(
            f"A key in {KEY_VARIABLE} has characters that no request can send; make "
            "it of letters, digits and signs of ASCII."
        )
    return keys


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address as one; no name is looked up but that of this machine.

    Raises:
        BadOptionError: it is none.
    """
    try:
        return ipaddress.ip_address(LOOPBACK if host.lower() == LOCALHOST else host)
    except ValueError as error:
        raise BadOptionError(
            f"'{host}' is no address to listen at; give {LOCALHOST}, an address of "
            "this machine, or 0.0.0.0 for all of them."
        ) from error


def require_key(host: str, keys: Collection[str], *, no_key: bool) -> None:
    """Refuse to listen to other machines without a key, unless that is asked for.

    Raises:
        BadOptionError: there is none.
    """
    if not (keys or no_key or address_of(host).is_loopback):
        raise BadOptionError(
            f"Other machines reach '{host}', so a key is needed: set {KEY_VARIABLE} to "
            "one or several, or say --no-key so that everybody may ask."
        )


def names_of(host: str, also: Collection[str]) -> Collection[str] | None:
    """Return the names that a server goes by; None where that is not known.

    Args:
        host: where it listens.
        also: names that its owner adds.
    """
    own = {name.strip().lower() for name in also}
    if address_of(host).is_loopback:
        return LOCAL_NAMES | {host.lower(), *own}
    return frozenset(own) or None


def bound(host: str, port: int) -> socket.socket:
    """Return a socket at an address.

    Raises:
        BadOptionError: there is no such address here, or the port is taken.
    """
    at = address_of(host)
    made = socket.socket(socket.AF_INET if at.version == 4 else socket.AF_INET6)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(at), port))
        made.listen()
    except OSError as error:
        made.close()
        raise BadOptionError(
            f"'{host}' port {port} cannot be listened at ({error.strerror}); give "
            "another --port, or 0 for any that is free."
        ) from error
    return made
