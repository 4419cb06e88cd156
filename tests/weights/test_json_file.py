"""JSON beside weights: settings, or one sentence."""

import os
from pathlib import Path

import pytest

from imaginairy.errors import CheckpointError
from imaginairy.weights.json_file import (
    LONGEST,
    LONGEST_SETTINGS,
    read_json,
    short_enough,
)
from imaginairy.weights.weightfile import open_weights


def refusal(file: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_json(file)
    message = str(caught.value)
    assert message.startswith(f"'{file}'")
    assert "\n" not in message
    assert len(message) < len(str(file)) + 200
    return message


def make_long(file: Path, size: int = LONGEST + 1_000_000) -> None:
    """Make a file of so many bytes, which takes no room on the disk."""
    file.write_bytes(b"{")
    os.truncate(file, size)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; download it again."),
        ("{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"a":' * 100_000, "is not valid JSON"),
        (f'{{"a": {"9" * 5000}}}', "is not valid JSON"),
        ("[1, 2]", "holds no settings, but [1, 2]."),
        ('"text"', "holds no settings, but text."),
        ("null", "holds no settings, but None."),
        (f"[{'[],' * 1000}[]]", "holds no settings, but [[], [], [], [], [], [], ...]"),
    ],
)
def test_what_holds_no_settings_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    assert said in refusal(tmp_path / "config.json")


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (Is a directory)" in refusal(tmp_path)
    assert "cannot be read (No such file" in refusal(tmp_path / "config.json")


def test_the_last_of_two_values_of_a_name_counts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"a": 1, "a": 2}')
    assert read_json(tmp_path / "config.json") == {"a": 2}


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    make_long(tmp_path / "config.json", LONGEST_SETTINGS + 200_000)
    assert "has 1.2 MB; such files are read up to 1.0 MB" in refusal(
        tmp_path / "config.json"
    )
    make_long(tmp_path / "config.json", LONGEST)
    assert short_enough(tmp_path / "config.json") == tmp_path / "config.json"


def test_an_index_of_weights_that_is_too_long_is_refused(tmp_path: Path) -> None:
    make_long(tmp_path / "model.safetensors.index.json")
    with pytest.raises(CheckpointError, match=r"read up to 8\.0 MB"):
        open_weights(tmp_path / "model.safetensors.index.json")


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    assert "is a pipe, not a file; take it away" in refusal(tmp_path / "config.json")
    assert "is a device, not a file" in refusal(Path("/dev/zero"))
