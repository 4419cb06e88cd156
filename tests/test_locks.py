"""What the project installs for itself: pinned, held to hashes, for every Python."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.locks import pins, torch

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
PROJECT = (ROOT / "pyproject.toml").read_text()
SURROUNDINGS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}.get(
            system, "Windows"
        ),
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    for python in ("3.10", "3.11", "3.12", "3.13")
    for system in ("linux", "darwin", "win32")
]


def entries(lock: str) -> list[str]:
    """Return what a lock pins, each on one line with its hashes."""
    text = (ROOT / lock).read_text().replace("\\\n", "")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def declared() -> list[Requirement]:
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", PROJECT, re.M | re.S)
    assert listed
    return [Requirement(text) for text in re.findall(r'"(.+)"', listed[1])]


def extras() -> list[Requirement]:
    listed = re.search(r"^\[project.optional-.*?\]\n(.*?)^\[", PROJECT, re.M | re.S)
    assert listed
    return [Requirement(text) for text in re.findall(r'"(.+?)"', listed[1])]


def developers() -> list[Requirement]:
    lines = (ROOT / "requirements-dev.in").read_text().splitlines()
    texts = (re.sub(r"\s*#.*", "", line) for line in lines)
    return [Requirement(text) for text in texts if text]


WANTED = {
    "requirements.txt": declared(),
    "requirements-dev.txt": [*declared(), *extras(), *developers()],
}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_one_version_with_hashes(lock: str) -> None:
    lines = [line for line in entries(lock) if not line.lstrip().startswith("#")]
    assert len(lines) == len(pins(lock)) > 30
    for line in lines:
        assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==[\w.]+ ", line), line
        assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", line), line


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("around", SURROUNDINGS, ids=lambda it: "-".join(it.values()))
def test_what_is_asked_for_is_pinned_once(lock: str, around: dict[str, str]) -> None:
    chosen: dict[str, str] = {}
    for pin in pins(lock):
        if pin.holds(around):
            assert chosen.setdefault(pin.name, pin.version) is pin.version, pin
    assert "torch" not in chosen
    chosen["torch"] = torch()
    for wanted in WANTED[lock]:
        if wanted.marker is None or wanted.marker.evaluate(around):
            assert chosen[canonicalize_name(wanted.name)] in wanted.specifier, wanted


def test_users_get_what_the_tests_ran_with() -> None:
    users, tests = ({pin[:2] for pin in pins(lock)} for lock in LOCKS)
    assert users <= tests


def test_what_builds_the_package_is_pinned_with_what_it_needs() -> None:
    requires = re.search(r'^requires = \["(.*)"\]', PROJECT, re.M)
    assert requires
    builder = Requirement(requires[1])
    (pin,) = [pin for pin in pins("requirements.txt") if pin.name == builder.name]
    assert pin.version in builder.specifier


def test_a_line_without_hashes_is_no_pin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("release.locks.ROOT", tmp_path)
    (tmp_path / "bare.txt").write_text("# a comment\nclick==8.5.1\n")
    with pytest.raises(
        ValueError, match=r"bare\.txt: not one version with hashes: click"
    ):
        pins("bare.txt")
