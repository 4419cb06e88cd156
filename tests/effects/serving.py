"""The options of the server, as `--check` tells what would be served."""

import json
from collections.abc import Iterator
from typing import Any

from tests.effects.options import Judge
from tests.support.runs import Ran, Use

CHECK = ("serve", "--check", "--port", "0", "--model", "tiny")
LIMITS = {
    "waiting": 3, "pictures": 3, "pixels": 70_000, "larger_pixels": 80_000, "steps": 9,
    "characters": 99, "body_bytes": 9000, "held_bytes": 10_000, "body_seconds": 1.5,
    "seconds": 2.5, "stop_seconds": 3.5,
}  # fmt: skip
"""Other limits than the usual ones."""


def told(ran: Ran) -> dict[str, Any]:
    """Return what would be served."""
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def tells(name: str, before: Any, after: Any) -> Judge:
    """Return a judge that something is told so, and was told otherwise before."""

    def judge(without: Ran, given: Ran) -> None:
        assert (told(without)[name], told(given)[name]) == (before, after)

    return judge


def limits(name: str, most: float) -> Judge:
    """Return a judge of a limit, which changes no other."""

    def judge(before: Ran, after: Ran) -> None:
        assert told(before)["limits"][name] != most
        assert told(after)["limits"] == told(before)["limits"] | {name: most}

    return judge


def it_is_told_and_not_served(before: Ran, after: Ran) -> None:
    assert "would be served" in before.stdout.replace("\n", " ")
    assert after.stdout.startswith("{") and told(after)["models"] == ["tiny"]


def it_listens_elsewhere(before: Ran, after: Ran) -> None:
    hosts = [told(ran)["address"].rpartition(":")[0] for ran in (before, after)]
    assert hosts == ["http://127.0.0.1", "http://0.0.0.0"]


def another_port_is_refused(before: Ran, after: Ran) -> None:
    assert before.code == 0 and after.code == 2
    assert "65536 is not in the range 0<=x<=65535" in after.stderr


def both_are_served(before: Ran, after: Ran) -> None:
    models = [told(ran)["models"] for ran in (before, after)]
    assert models == [["tiny"], ["tiny", "storybook"]]


def nothing_but_what_is_asked_for_is_said(before: Ran, after: Ran) -> None:
    assert before.stderr and not after.stderr
    assert told(after)["models"] == told(before)["models"]


def another_device_is_refused(before: Ran, after: Ran) -> None:
    assert before.code == 0 and after.code == 2
    assert "Device 'abacus' is not available here" in after.stderr


def serve_options() -> Iterator[Use]:
    """Yield the options of the server."""
    for name, most in LIMITS.items():
        option = f"--max-{name.replace('_', '-')}"
        yield _use(option, (str(most),), limits(name, most))
    help = ("serve", "--help")
    yield Use("serve", "--check", help, CHECK, it_is_told_and_not_served)
    yield _use("--host", ("0.0.0.0", "--no-key"), it_listens_elsewhere)
    yield _use("--port", ("65536",), another_port_is_refused)
    yield _use("--no-key", (), tells("no_key", False, True))
    local = ["127.0.0.1", "::1", "localhost"]
    named = tells("names", local, [*local, "my.example"])
    yield _use("--allow-host", ("My.Example",), named)
    page = "https://my.example"
    yield _use("--allow-origin", (page,), tells("origins", [], [page]))
    yield _use("--model", ("storybook",), both_are_served)
    yield _use("--device", ("abacus",), another_device_is_refused)
    yield _use("--precision", ("autocast",), tells("precision", "full", "autocast"))
    yield _use("--low-memory", (), tells("low_memory", False, True))
    yield _use("--batch-size", ("3",), tells("batch_size", None, 3))
    yield _use("--log-prompts", (), tells("log_prompts", False, True))
    yield _use("--ray", ("local",), tells("ray", None, "local"))
    copies, judge = (*CHECK, "--ray", "local"), tells("replicas", "1", "2-3")
    yield Use("serve", "--replicas", copies, (*copies, "--replicas", "2-3"), judge)
    for option in ("-q", "--quiet"):
        yield _use(option, (), nothing_but_what_is_asked_for_is_said)


def _use(option: str, words: tuple[str, ...], judge: Judge) -> Use:
    return Use("serve", option, CHECK, (*CHECK, option, *words), judge)
