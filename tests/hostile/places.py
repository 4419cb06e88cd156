"""What stands at a path and is no file that can be read."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from tests.support.hostile import png

Laid = Callable[[Path], object]


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def _sparse(path: Path) -> None:
    path.write_bytes(png(8, 8))
    os.truncate(path, 1 << 43)


def _chain(path: Path) -> None:
    path.symlink_to(path.name)


PLACES: dict[str, Laid] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "folder": os.mkdir,
    "loop": _chain,
    "dangling": lambda path: path.symlink_to("nowhere"),
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "terabytes": _sparse,
    "memory": lambda path: path.symlink_to("/proc/self/mem"),
    "pages": lambda path: path.symlink_to("/proc/self/pagemap"),
    "kernel": lambda path: path.symlink_to("/proc/kmsg"),
    "surroundings": lambda path: path.symlink_to("/proc/self/environ"),
    "secret": lambda path: path.symlink_to("/etc/shadow"),
    "named\x1b]0;owned\x07\u202egnp": lambda path: path.write_bytes(b"\x1b[2J"),
    "n" * 250: lambda path: path.write_bytes(b"GIF89a"),
}
"""By their names."""
ELSEWHERE = (
    "/dev/zero", "/dev/random", "/dev/stdin", "/dev/fd/0", "/dev/tty", "/dev/full",
    "/proc/self/mem", "/proc/self/fd/0", "/proc/kcore", "/proc/kmsg", "/sys/kernel",
    "/", "..", "missing", "n" * 300, "a/" * 3000, "good.png/a.png", "~nobody/a.png",
    "file:///etc/passwd", "\\\\host\\share\\a.png", "C:\\a.png", "", " ", "-", "\udcff",
)  # fmt: skip
"""Paths that need nobody to lay them out."""
