"""`aimg serve` on the command line; what it serves is judged in tests/serving."""

import socket
import subprocess
import sys

import pytest

from imaginairy.cli import serve_cmd
from imaginairy.cli.stores import Stores
from tests.support.commands import assert_refused, run_here

HELP = """
import contextlib, io, sys
from imaginairy.cli.aimg import aimg
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    aimg(['serve', '--help'])
assert '--max-waiting' in out.getvalue()
print(*{name.partition('.')[0] for name in sys.modules})
"""


def test_its_help_imports_nothing_that_is_heavy_or_may_be_missing() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HELP], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "numpy", "starlette", "uvicorn", "prometheus_client", "ray"}
    assert not {*ran.stdout.split()} & heavy


def test_without_the_extra_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve_cmd, "EXTRA", ("starlette", "no_such_package"))
    said = "not installed (no_such_package); install them with: pip install"
    assert_refused(run_here(Stores(), "serve"), said, code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--host 0.0.0.0", "a key is needed: set IMAGINAIRY_API_KEY"),
        ("--host nowhere.example", "'nowhere.example' is no address to listen at"),
        ("--port 0 --model nobody", "There is no model 'nobody'"),
        ("--port 0 --max-waiting 0", "waiting 0 is out of range"),
        ("--port 0 --max-seconds nan", "seconds must be a number"),
        ("--port 0 --model storybook --batch-size 0", "batch_size 0 is out of range"),
        ("--port x", "'x' is not a valid integer range"),
    ],
)
def test_what_cannot_be_served_is_said(words: str, said: str) -> None:
    ran = run_here(Stores(), "serve", *words.split())
    assert ran.exit_code == 2 and said in ran.stderr, ran.stderr


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run_here(Stores(), "serve", "--port", port)
        assert_refused(ran, f"'127.0.0.1' port {port} cannot be listened at")


def test_its_address_keys_and_limits_are_told_without_the_keys() -> None:
    words = ("--check", "--port", "0", "--model", "storybook", "-q")
    ran = run_here(Stores(), "serve", *words, IMAGINAIRY_API_KEY="one,secret")
    assert ran.exit_code == 0 and '"keys": 2' in ran.stdout
    assert "secret" not in ran.output
