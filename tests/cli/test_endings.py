"""How commands end, whatever goes wrong, and where they save what they made."""

import errno
import logging
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.cli.failures import Failures
from imaginairy.cli.files import each_file, plain, saved, saved_numbered
from imaginairy.cli.run import failure_of, reporting_errors, show_log
from imaginairy.errors import (
    BadImageError,
    BadOptionError,
    CannotSaveError,
    DownloadError,
    ImaginairyError,
    NotEnoughMemoryError,
    UnknownModelError,
)
from imaginairy.metadata.tags import Tags

MEMORY = f"Error: {NotEnoughMemoryError()}"


def ended(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the lines of a command that meets an error."""

    @click.command()
    @reporting_errors
    def command() -> None:
        raise error

    ran = CliRunner().invoke(command, catch_exceptions=False)
    assert ran.stdout == ""
    return ran.exit_code, ran.stderr.rstrip("\n")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BadOptionError("so"), 2, "Error: so"),
        (BadImageError("so"), 2, "Error: so"),
        (UnknownModelError("so"), 2, "Error: so"),
        (DownloadError("so"), 1, "Error: so"),
        (CannotSaveError("so"), 1, "Error: so"),
        (ImaginairyError("so"), 1, "Error: so"),
        (
            OSError(errno.ENOSPC, "No space left", "/a/b"),
            1,
            "Error: The file system refused '/a/b': No space left.",
        ),
        (OSError("odd"), 1, "Error: The file system refused: odd."),
        (MemoryError(), 1, MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, MEMORY),
        (RuntimeError("could not create a primitive"), 1, MEMORY),
        (KeyboardInterrupt(), 130, "Stopped; what was saved stays."),
    ],
)
def test_what_goes_wrong_is_a_line_and_a_code(
    error: BaseException, code: int, words: str
) -> None:
    assert ended(error) == (code, words)


@pytest.mark.parametrize(
    "error", [RuntimeError("a fault"), ValueError("out of memory"), KeyError("a")]
)
def test_a_fault_of_the_program_is_shown_as_one(error: Exception) -> None:
    assert failure_of(error) is None
    with pytest.raises(type(error)):
        ended(error)


def test_a_reader_that_goes_away_is_clicks_to_handle() -> None:
    assert failure_of(BrokenPipeError(errno.EPIPE, "Broken pipe")) is None


def test_the_log_is_plain_lines_from_a_level_on(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("imaginairy")
    for level, shown in (("info", 2), ("error", 1)):
        for _ in range(2):  # as in a shell, line after line
            show_log(level)
        log.debug("%s", "debug")
        log.info("%s and %s", "one", "two")
        log.error("bad")
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines() == ["one and two", "bad"][-shown:]
    assert caplog.messages == [], "no program above shows the lines again"


def prompts(*texts: str) -> list[ImaginePrompt]:
    return [ImaginePrompt(text) for text in texts]


def test_failures_are_said_at_once_and_summed_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failures = Failures(7)
    for number, prompt in enumerate(prompts("a", "b", "a", "c", "d")):
        with failures.noted(prompt):
            raise BadOptionError(["one", "two", "three", "one", "three"][number])
    with failures.noted(prompts("e")[0]):
        pass
    assert capsys.readouterr() == (
        "", "Error: 'a': one\nError: 'b': two\nError: 'a': three\n"
    )  # fmt: skip
    with pytest.raises(ImaginairyError) as told:
        failures.report()
    assert str(told.value) == (
        "5 of 7 pictures could not be generated ('a', 'b', 'c', ...); what is wrong is "
        "said above, and the others are saved."
    )
    assert type(told.value) is ImaginairyError, "some were generated"


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([BadOptionError("x"), UnknownModelError("y")], BadOptionError),
        ([BadOptionError("x"), DownloadError("y")], ImaginairyError),
    ],
)
def test_where_all_fail_the_code_says_whose_fault_it_is(
    errors: list[Exception], kind: type[Exception]
) -> None:
    failures = Failures(2)
    for error, prompt in zip(errors, prompts("a", "b"), strict=True):
        with failures.noted(prompt):
            raise error
    with pytest.raises(
        ImaginairyError, match=r"2 of 2 .* \('a', 'b'\).* above\.$"
    ) as e:
        failures.report()
    assert type(e.value) is kind


def test_nothing_is_summed_up_where_nothing_failed() -> None:
    Failures(2).report()


def test_three_texts_are_all_named() -> None:
    failures = Failures(9)
    for prompt in prompts("a", "b", "c"):
        with failures.noted(prompt):
            raise BadOptionError("x")
    with pytest.raises(ImaginairyError, match=r"\('a', 'b', 'c'\); what"):
        failures.report()


@pytest.mark.parametrize(
    ("jobs", "error"),
    [
        (1, BadOptionError("alone")),
        (5, CannotSaveError("full")),
        (5, OSError("gone")),
        (5, ZeroDivisionError("a fault")),
        (5, KeyboardInterrupt()),
    ],
)
def test_what_ends_a_run_at_once(jobs: int, error: BaseException) -> None:
    failures = Failures(jobs)
    with pytest.raises(type(error)), failures.noted(prompts("a")[0]):
        raise error
    failures.report()


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ({}, None),
        ({"b": DownloadError("x")}, 1),
        ({"a": BadOptionError("x")}, 2),
        ({"a": BadImageError("x"), "b": DownloadError("y")}, 2),
        ({"a": DownloadError("x"), "b": BadImageError("y")}, 2),
    ],
)
def test_every_file_is_worked_on_and_the_worst_failure_is_the_code(
    errors: dict[str, Exception], code: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def work(file: str) -> None:
        seen.append(file)
        if file in errors:
            raise errors[file]

    if code is None:
        each_file("abc", work)
    else:
        with pytest.raises(SystemExit) as end:
            each_file("abc", work)
        assert end.value.code == code
    assert seen == ["a", "b", "c"]
    assert capsys.readouterr().err == "".join(f"Error: {e}\n" for e in errors.values())


@pytest.mark.parametrize(
    ("file", "extension", "name"),
    [
        ("a fox.png", None, "a_fox_large.png"),
        ("fox.JPG", None, "fox_large.jpg"),
        ("fox.jpeg", None, "fox_large.jpg"),
        ("fox.jfif", None, "fox_large.jpg"),
        ("fox.jpe", None, "fox_large.jpg"),
        ("fox.webp", None, "fox_large.png"),
        ("fox", None, "fox_large.png"),
        ("fox.png", "jpg", "fox_large.jpg"),
        ("fox.jpg", "png", "fox_large.png"),
        ("../b/füchse (2).png", None, "f_chse_2_large.png"),
        ("狐.png", None, "picture_large.png"),
        ("https://example.org/a/fox.jpg?size=9#b", None, "fox_large.jpg"),
        (f"{'x' * 101}.png", None, f"{'x' * 100}_large.png"),
    ],
)
def test_what_is_made_of_a_file_goes_by_its_name(
    file: str, extension: str | None, name: str, tmp_path: Path
) -> None:
    image = Image.new("RGB", (8, 8))
    path = saved(image, image, file, tmp_path / "out", extension, "large")
    assert path == tmp_path / "out" / f"000001_{name}"
    with Image.open(path) as written:
        assert written.format == {"jpg": "JPEG", "png": "PNG"}[path.suffix[1:]]


def test_a_jpg_shows_white_where_nothing_is_and_grey_stays_grey(
    tmp_path: Path,
) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    with Image.open(saved(clear, clear, "a.jpg", tmp_path, None, "x")) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)
    with Image.open(saved(clear, clear, "a.png", tmp_path, None, "x")) as image:
        assert image.getpixel((4, 4)) == (255, 0, 0, 0)
    grey = Image.new("L", (8, 8), 9)
    with Image.open(saved(grey, grey, "a.jpg", tmp_path, None, "x")) as image:
        assert image.mode == "L"


def test_pictures_of_one_go_share_a_number(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 8))
    made = {name: (image, Tags("x")) for name in ("b.png", "a.jpg")}
    paths = [saved_numbered(made, tmp_path) for _ in range(2)]
    assert [[path.name for path in each] for each in paths] == [
        ["000001_b.png", "000001_a.jpg"], ["000002_b.png", "000002_a.jpg"]
    ]  # fmt: skip


def test_names_have_only_plain_letters() -> None:
    assert plain("_a/b.. (c)-dÉ!") == "a_b_c_d"
    assert plain("?!") == ""
