"""A folder of pictures becomes a file that prompts can use, whatever comes between."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from imaginairy import ImaginePrompt, Lesson, ModelStore, Observer, imagine, learn
from imaginairy.adapters.file import read_adapter
from imaginairy.adapters.word_file import read_word
from imaginairy.cli.aimg import aimg
from imaginairy.cli.learn_cmd import LearnBar, given_as, in_words
from imaginairy.cli.stores import Stores
from imaginairy.errors import (
    BadOptionError,
    CheckpointError,
    ForeignPictureError,
    UnknownModelError,
)
from imaginairy.learning.state import State, write_state
from imaginairy.prompt_fields.wording import MAX_SEED
from imaginairy.sources.adapters import locate_adapter
from imaginairy.sources.shelves import ADAPTERS

SHORT: dict[str, Any] = {"rank": 2, "steps": 4, "size": "64x64", "learning_rate": 0.01}


RUN = ("resume", "overwrite", "observer")


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    """Keeps the tiny model from one lesson to the next."""
    store = ModelStore("cpu")
    yield store
    store.clear()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures, each with what is on it."""
    folder = tmp_path / "zorbs"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (64, 64), (50 * number, 99, 0)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a red fox {number}")
    return folder


@pytest.fixture
def taught(pictures: Path, tmp_path: Path, tiny_folder: Path, store: ModelStore) -> Any:
    """Return what learns from these, into a file of a name."""

    def taught(name: str = "zorb", **said: Any) -> Path:
        place = {"output": tmp_path / f"{name}.safetensors", "model": str(tiny_folder)}
        how = {each: said.pop(each) for each in (*said,) if each in RUN}
        word = {"rank": 16} if said.get("kind") == "word" else {}
        lesson = Lesson(pictures, "zorb", **{**SHORT, **word, **place, **said})
        return learn(lesson, store=store, **how)

    return taught


class Stops(Observer):
    """Presses Ctrl-C after a step."""

    def __init__(self, step: int) -> None:
        self.stop = step

    def on_lesson(self, step: int, steps: int, loss: float) -> None:
        if step == self.stop:
            signal.raise_signal(signal.SIGINT)


def test_what_is_learnt_is_a_lora_that_says_what_it_is(taught: Any) -> None:
    path = taught()
    adapter = read_adapter(path)
    assert adapter.told is not None and "LoRA" in adapter.told.title
    said = dict(adapter.said)
    assert said["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert said["modelspec.trigger_phrase"] == "zorb"
    assert said["ss_base_model_version"] == "sd_v1"
    assert said["ss_network_module"] == "networks.lora"
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("2", "2")
    assert (said["ss_steps"], said["ss_num_train_images"]) == ("4", "5")
    assert len(said["imaginairy.learnt_from"].split()) == 5


def test_it_is_used_by_its_path_as_any_other(
    taught: Any, tiny_folder: Path, store: ModelStore
) -> None:
    path = taught(learning_rate=0.5)
    said: dict[str, Any] = {"model": str(tiny_folder), "width": 64, "height": 64}
    prompts = [
        ImaginePrompt("a zorb", loras=loras, steps=2, seed=1, **said)
        for loras in ((), (str(path),))
    ]
    without, with_it = imagine(prompts, store=store)
    assert without.md5() != with_it.md5()


def test_a_word_is_a_learned_word(taught: Any) -> None:
    path = taught(kind="word", vectors=3, begins_as="red fox")
    word = read_word(path)
    assert word.name == "zorb"
    assert word.vectors[48].shape == (3, 48)
    with safe_open(path, framework="pt") as file:
        said = file.metadata()["modelspec.architecture"]
    assert said == "stable-diffusion-v1/textual-inversion"


def test_ctrl_c_keeps_what_was_learnt_and_it_goes_on_to_the_bit(
    taught: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "imaginairy")
    whole = load_file(taught("whole"))
    with pytest.raises(KeyboardInterrupt):
        taught("stopped", observer=Stops(2))
    assert "2 steps are kept in" in caplog.text
    resumed = load_file(taught("stopped", resume=True))
    assert all(tensor.equal(resumed[name]) for name, tensor in whole.items())


def test_what_is_saved_meanwhile_outlives_whatever_comes(
    taught: Any, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        taught(save_every=1, observer=Stops(3))
    with safe_open(tmp_path / "zorb.safetensors", framework="pt") as file:
        assert file.metadata()["ss_steps"] == "3"


def test_more_steps_go_on_from_the_end(taught: Any) -> None:
    taught(steps=2)
    with pytest.raises(BadOptionError, match="has taken 2 steps already; give more"):
        taught(steps=2, resume=True)
    longer = load_file(taught(steps=4, resume=True))
    whole = load_file(taught("whole", steps=4))
    assert all(tensor.equal(longer[name]) for name, tensor in whole.items())


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"rank": 3}, "was begun with the rank 2, not 3; give the same"),
        ({"seed": 1}, "was begun with the seed 0, not 1"),
        ({"flip": True}, "was begun with the flip False, not True"),
        ({"learning_rate": 0.1}, "was begun with the learning rate 0.01, not 0.1"),
    ],
)
def test_it_goes_on_only_as_it_was_begun(
    taught: Any, said: dict[str, Any], problem: str
) -> None:
    taught(steps=1)
    with pytest.raises(BadOptionError, match=problem):
        taught(resume=True, **said)


def test_it_goes_on_only_with_the_pictures_that_it_was_begun_with(
    taught: Any, pictures: Path
) -> None:
    taught(steps=1)
    (pictures / "0.txt").write_text("a bowl")
    with pytest.raises(BadOptionError, match="are others than those that"):
        taught(resume=True)


def test_nothing_is_lost_without_being_asked_for(taught: Any, tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match="to go on from; begin without --resume"):
        taught(resume=True)
    path = taught(steps=1)
    before = path.read_bytes()
    with pytest.raises(BadOptionError, match="holds what was learnt before"):
        taught(seed=1)
    (tmp_path / "zorb.learning").unlink()
    with pytest.raises(BadOptionError, match="is there already; give another --output"):
        taught(seed=1)
    assert path.read_bytes() == before
    taught(seed=1, overwrite=True)
    assert path.read_bytes() != before


def test_another_file_is_no_place_to_go_on_from(taught: Any, tmp_path: Path) -> None:
    (tmp_path / "zorb.learning").write_bytes(b"no state")
    with pytest.raises(CheckpointError, match=r"zorb\.learning"):
        taught(resume=True)


def test_a_state_that_says_nothing_of_a_lesson_is_of_another(
    taught: Any, tmp_path: Path
) -> None:
    state = State(tensors={"emb_params": torch.zeros(1, 48)})
    write_state(tmp_path / "zorb.learning", state, {})
    with pytest.raises(BadOptionError, match="was begun with the kind None, not"):
        taught(resume=True)


def test_the_last_of_all_seeds_draws_samples_too(taught: Any, tmp_path: Path) -> None:
    taught(seed=MAX_SEED, steps=1, sample_every=1)
    assert (tmp_path / "zorb-samples" / "000001-1.png").is_file()


def test_the_option_that_is_told_finds_what_was_learnt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(tmp_path / "own"))
    elsewhere, own = (
        tmp_path / "a zorb.safetensors",
        tmp_path / "own" / "inky.safetensors",
    )
    own.parent.mkdir()
    for path in (elsewhere, own):
        path.touch()
    lora, word = Lesson("p", "Inky"), Lesson("p", "Inky", kind="word")
    assert given_as(lora, own) == "--lora inky"
    assert given_as(word, own) == "--embedding inky"
    assert given_as(lora, elsewhere) == f'--lora "{elsewhere}"'
    assert given_as(word, elsewhere) == f'--embedding "Inky={elsewhere}"'


def test_pictures_are_drawn_meanwhile(taught: Any, tmp_path: Path) -> None:
    taught(sample_every=3, sample_prompts=["a bowl", "zorb"])
    names = sorted(each.name for each in (tmp_path / "zorb-samples").iterdir())
    assert names == ["000003-1.png", "000003-2.png", "000004-1.png", "000004-2.png"]


def test_pictures_of_which_nothing_is_said_are_learnt_by_the_word(
    taught: Any, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """BLIP cannot be had here, and the small stand-in does not know such pictures."""
    for each in pictures.glob("*.txt"):
        each.unlink()
    with pytest.raises(ForeignPictureError):
        taught(captions="blip")
    by_word = load_file(taught("word", captions="word"))
    learnt = load_file(taught("auto"))
    assert all(tensor.equal(by_word[name]) for name, tensor in learnt.items())
    assert caplog.text.count("Pictures without a caption are learnt by the word") == 1


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            {"word": None, "kind": "word"},
            "There is no word that what is",
        ),
        ({"word": None, "captions": "word"}, "There is no word"),
        ({"word": 3}, "word is text, not"),
        ({"output": "zorb.pt"}, r"give one that ends in \.safetensors"),
        ({"output": "a\0b.safetensors"}, "no file's name can have"),
        ({"folder": 3}, "folder is a path, not"),
        ({"size": "500x500"}, "cannot be drawn"),
        ({"captions": "none"}, "captions 'none' is unknown"),
        ({"sample_prompts": "zorb"}, "sample_prompts are several texts"),
        ({"save_every": 0}, "save_every 0 is out of range"),
        ({"seed": 2**63}, f"seed {2**63} is out of range"),
        ({"sample_prompts": ["a zorb"]}, "sample_prompts needs sample_every"),
        ({"vectors": 2}, "vectors does nothing for the kind 'lora'"),
        ({"kind": "locon", "begins_as": "fox"}, "begins_as does nothing for the kind"),
        ({"kind": "word", "rank": 2}, "rank does nothing for the kind 'word'"),
        ({"kind": "word", "alpha": 1}, "alpha does nothing"),
        ({"kind": "word", "layers": "all"}, "layers does nothing"),
        ({"kind": "word", "text_encoder": True}, "text_encoder does nothing"),
    ],
)
def test_what_cannot_be_learnt_is_said_before_anything_is_read(
    said: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BadOptionError, match=problem):
        Lesson(**{"folder": "nowhere", "word": "zorb", **said})


def test_a_model_that_is_not_there_is_said_before_captions_are_written(
    taught: Any, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (pictures / "0.txt").unlink()
    with pytest.raises(UnknownModelError, match="There is no model 'nothere'"):
        taught(model="nothere")
    assert not caplog.messages


def test_what_is_given_to_learn_is_a_lesson() -> None:
    with pytest.raises(BadOptionError, match="learn takes a Lesson, not"):
        learn("zorbs")  # type: ignore[arg-type]
    with pytest.raises(BadOptionError, match="observer is an Observer"):
        learn(Lesson("zorbs"), observer=print)  # type: ignore[arg-type]


def test_it_goes_where_adapters_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    place = Lesson("pictures", "zorb style").out
    assert place == ADAPTERS.learnt / "zorb-style.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    assert locate_adapter("zorb-style").place.path == place  # type: ignore[union-attr]
    assert Lesson("pictures").out.name == "pictures.safetensors"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert Lesson(tmp_path / "loop").out.name == "loop.safetensors"
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(tmp_path / "own"))
    assert Lesson("p", "zorb").out == tmp_path / "own" / "zorb.safetensors"


def test_the_command_ends_by_ctrl_c_as_others_do(
    pictures: Path, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(bar: LearnBar, step: int, steps: int, loss: float) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(LearnBar, "on_lesson", pressed)
    out = tmp_path / "zorb.safetensors"
    words = ["learn", str(pictures), "--word", "zorb", "--output", str(out), "--size",
             "64x64", "--rank", "1", "--model", str(tiny_folder)]  # fmt: skip
    ran = CliRunner().invoke(aimg, words, obj=Stores())
    assert ran.exit_code == 130
    assert "1 step is kept in" in ran.stderr
    assert "Stopped; what was saved stays." in ran.stderr
    assert out.is_file() and out.with_suffix(".learning").is_file()


def test_how_far_it_is_is_said_with_the_time_that_is_left() -> None:
    assert in_words(11, 31, 0.25, 20.0, 1) == (
        "step 11/31, loss 0.2500, 2 s a step, 0:40 left"
    )
    assert in_words(1, 31, 0.25, 0.0, 1) == "step 1/31, loss 0.2500"
    assert in_words(31, 31, 0.25, 60.0, 1) == "step 31/31, loss 0.2500"


def test_lines_of_how_far_it_is_come_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "imaginairy")
    times = iter([0.0, 4.0, 12.0, 13.0, 14.0])
    bar = LearnBar(clock=lambda: next(times))
    for step in range(1, 6):
        bar.on_lesson(step, 5, 0.5)
    steps = [said.partition(",")[0] for said in caplog.messages]
    assert steps == ["step 3/5", "step 5/5"]
    caplog.clear()
    LearnBar(quiet=True).on_lesson(5, 5, 0.5)
    assert not caplog.messages
