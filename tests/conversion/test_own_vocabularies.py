"""Vocabularies go with the single files that are read with them, and with no others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from imaginairy.conversion.convert import convert
from imaginairy.errors import BadOptionError
from imaginairy.models.checkpoint import read_checkpoint

Model = Callable[[str, str], Path]


def test_an_own_vocabulary_and_empty_negatives_come_through(
    model: Model, tmp_path: Path
) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out.safetensors"
    shutil.copytree(model("sdxl", "folder"), folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["force_zeros_for_empty_prompt"] = False
    (folder / "model_index.json").write_text(json.dumps(index))
    done = convert(str(folder), str(out))
    beside = [tmp_path / f"out.{name}" for name in ("tokenizer", "tokenizer_2")]
    assert [*done.beside] == beside
    after = read_checkpoint(out)
    assert after.empty_negative == "text"
    assert {*after.vocabularies.values()} == {*beside}
    moved = tmp_path / "elsewhere" / "out.safetensors"
    moved.parent.mkdir()
    shutil.copy(out, moved)
    assert not read_checkpoint(moved).vocabularies


def test_no_vocabulary_of_another_model_is_left_beside(
    model: Model, tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    alone = shutil.copy(model("sd1", "file"), tmp_path / "alone")  # by CLIP's
    own, public, place = str(model("sdxl", "folder")), str(alone), tmp_path / "written"
    out, left = place / "out.safetensors", place / "out.tokenizer"
    convert(own, str(out))
    assert left.is_dir()
    out.unlink()
    with pytest.raises(BadOptionError, match="is there already"):
        convert(public, str(out))
    assert [*convert(public, str(out), yes=True).beside] == []
    assert [*place.iterdir()] == [out]
    assert not read_checkpoint(out).vocabularies
    shutil.copytree(Path(own) / "tokenizer", place / "tokenizer")
    with pytest.raises(BadOptionError, match=r"tokenizer' holds a vocabulary with whi"):
        convert(public, str(out), yes=True)
    assert [*convert(own, str(out), yes=True).beside]
