"""How pages are run and judged: a page that does not what it says must fail."""

import os
from pathlib import Path

import pytest

from imaginairy.version import __version__
from tests.support.pages import Check, Made, judge


def run(folder: Path, code: str, *checks: Check) -> None:
    page = folder / "page.md"
    page.write_text(f"```bash\n{code}\n```\n")
    here = folder / "here"
    here.mkdir()
    judge(page, here, checks)


def nothing(made: Made) -> None:
    """Take no file."""


def test_commands_are_called_as_a_shell_calls_them(tmp_path: Path) -> None:
    def check(made: Made) -> None:
        (path,) = made.take("in/said")
        assert path.read_text().split() == ["imaginairy", __version__]
        assert made.said == "2\n3\n"
        assert "Did you mean" in made.told or "No such" in made.told

    run(
        tmp_path,
        "mkdir in; cd in\n"
        "name=version; aimg $name | grep imaginairy > said\n"
        'aimg nonsense || echo "$?"\n'
        "printf 'version\\nversion\\nversion\\n' | aimg | grep -c imaginairy",
        check,
    )
    assert Path.cwd() != tmp_path / "here" and "name" not in os.environ


@pytest.mark.parametrize(
    ("code", "checks", "said"),
    [
        ("aimg nonsense", [nothing], "ended with 2"),
        ("aimg version\nfalse", [nothing], "ended with 1"),
        ("touch more", [nothing], r"makes more: \['more'\]"),
        ("true", [], "has 1 blocks"),
        ("true", [lambda made: made.take("picture.png")], "1 files are called pic"),
    ],
)
def test_what_a_block_does_wrong_is_said(
    tmp_path: Path, code: str, checks: list[Check], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        run(tmp_path, code, *checks)
