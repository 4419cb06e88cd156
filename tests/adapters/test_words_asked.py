"""Learned words are found by what is asked for, and by what prompts say."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, imagine
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.embedding import embeddings, parse_embedding
from imaginairy.enhancers.safety import UNCHECKED
from imaginairy.errors import BadOptionError, CheckpointError, UnknownModelError
from imaginairy.order import Order
from imaginairy.said import Told
from imaginairy.settling import settled
from tests.support.pictures import pixels

WIDTH = 48
ROWS = torch.eye(2, WIDTH)


@pytest.fixture(scope="module")
def tiny_store() -> Iterator[ModelStore]:
    store = ModelStore("cpu")
    yield store
    store.clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of adapters: some words, and what is none."""
    folder = tmp_path / "mine"
    (folder / "negatives").mkdir(parents=True)
    for name in ("zorb", "Bad-Hands", "negatives/easynegative"):
        save_file({"emb_params": ROWS}, folder / f"{name}.safetensors")
    torch.save({"<hand>": ROWS[0]}, folder / "learned.bin")
    save_file({"emb_params": torch.ones(1, 768)}, folder / "other.safetensors")
    lora = {
        f"lora_unet_conv_in.lora_{n}.weight": torch.ones(4, 4) for n in ("up", "down")
    }
    save_file(lora, folder / "fox.safetensors")
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def order(tiny_folder: Path, tiny_store: ModelStore) -> Any:
    """Settle a prompt for the tiny model."""

    def order(prompt: Any, **fields: Any) -> Order:
        fields = {"model": str(tiny_folder), "seed": 1, "steps": 1, **fields}
        tiny_store._told = Told()
        return settled(ImaginePrompt(prompt, **fields), tiny_store)

    return order


def said_of_words(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said, but for that pictures are not checked, said once a run."""
    return [each for each in caplog.messages if UNCHECKED not in each]


def given(order: Order) -> tuple[str, ...]:
    return tuple(each.given for each in order.words)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a zorb", ("zorb",)),
        ("a (ZORB:1.3) fox", ("zorb",)),
        ("embedding:zorb, bad-hands", ("Bad-Hands", "zorb")),
        ("embedding:negatives/easynegative.safetensors", ("easynegative",)),
        ("(easynegative:1.2)", ("easynegative",)),
        ("<EasyNegative>", ("easynegative",)),
        ("zorbs of azorb", ()),
        ("a fox", ()),
        ("<other:zorb:1>", ()),
    ],
)
def test_prompts_say_the_names_of_files(
    text: str, found: tuple[str, ...], order: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert given(order(text)) == found
    assert order(text).prompt.embeddings == found
    assert given(order("a bowl", negative_prompt=text)) == found
    with caplog.at_level(logging.WARNING):
        assert given(order("a bowl", negative_prompt=text, prompt_strength=1)) == ()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("zorb", ("zorb",)),
        ("Zorb.safetensors", ("Zorb",)),
        ("mine/zorb.safetensors", ("zorb",)),
        ("glim=mine/zorb.safetensors", ("glim",)),
        ("glim = zorb", ("glim",)),
        ("learned", ("<hand>", "learned")),
        ("<fist>=learned", ("<fist>",)),
    ],
)
def test_words_are_asked_for(asked: str, names: tuple[str, ...], order: Any) -> None:
    [word] = order("a zorb", embeddings=[asked]).words[:1]
    assert [each.casefold() for each in word.names] == [n.casefold() for n in names]
    again = order("a zorb", embeddings=[word.given])
    assert again.words[0] == word, "what is recorded means the same"


@pytest.mark.usefixtures("folder")
def test_what_has_an_ending_is_a_path_first(tmp_path: Path, order: Any) -> None:
    save_file({"emb_params": 2 * ROWS}, tmp_path / "zorb.safetensors")
    [word] = order("a zorb", embeddings=["zorb.safetensors"]).words
    assert word.path == tmp_path / "zorb.safetensors"
    assert word.given == str(word.path)


@pytest.mark.usefixtures("folder")
def test_one_for_the_model_is_chosen_among_those_of_a_name(
    folder: Path, order: Any
) -> None:
    (folder / "a").mkdir()
    save_file({"emb_params": torch.ones(1, 768)}, folder / "a" / "zorb.safetensors")
    for settled_order in (order("a zorb"), order("a zorb", embeddings=["zorb"])):
        assert [each.path for each in settled_order.words] == [
            folder / "zorb.safetensors"
        ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "asked", "kind", "says"),
    [
        (
            "a",
            "nowhere",
            UnknownModelError,
            "There is no learned word 'nowhere': those",
        ),
        ("a", "other", CheckpointError, "for Stable Diffusion 1.x; the model"),
        (
            "a",
            "fox",
            CheckpointError,
            "holds no learned word (textual inversion), but a",
        ),
        ("embedding:other", "", CheckpointError, "for Stable Diffusion 1.x; the model"),
        ("embedding:fox", "", CheckpointError, "holds no learned word (textual inver"),
    ],
)
def test_what_cannot_be_read_is_refused(
    text: str, asked: str, kind: type[Exception], says: str, order: Any
) -> None:
    with pytest.raises(kind) as refusal:
        order(text, embeddings=asked)
    assert says in str(refusal.value)


@pytest.mark.usefixtures("folder")
def test_two_words_of_a_name_are_refused(order: Any) -> None:
    with pytest.raises(BadOptionError, match="Two learned words go by 'ZORB'"):
        order("a", embeddings=["zorb", "ZORB=easynegative"])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "fields", "says"),
    [
        ("a embedding:foo fox", {}, "There is no learned word 'foo' in the folders of"),
        ("a <cat-toy> fox", {}, "<cat-toy> looks like a learned word; no file of that"),
        ("a other fox", {}, "'other' is read as plain text: '"),
        ("a fox", {"embeddings": "zorb"}, "Neither the prompt nor the negative prompt"),
    ],
)
def test_nothing_is_missed_silently(
    text: str,
    fields: Any,
    says: str,
    order: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    order(text, **fields)
    assert [each for each in caplog.messages if says in each]
    assert not [each for each in caplog.messages if "syntax of other tools" in each]


@pytest.mark.usefixtures("folder")
def test_what_is_known_is_not_said(
    order: Any, caplog: pytest.LogCaptureFixture
) -> None:
    order("a zorb, embedding:easynegative, <hand>", embeddings="learned")
    order("a \\<cat> fox, a <3 b>")
    assert said_of_words(caplog) == []


def result(store: ModelStore, prompt: str, **fields: Any) -> ImagineResult:
    usual = {"seed": 1, "steps": 2, "width": 64, "height": 64}
    return next(imagine(ImaginePrompt(prompt, **{**usual, **fields}), store=store))


@pytest.mark.usefixtures("folder")
def test_a_picture_says_them_and_is_drawn_again(
    tiny_folder: Path, tiny_store: ModelStore
) -> None:
    model = str(tiny_folder)
    plain = result(tiny_store, "a fox", model=model)
    drawn = result(tiny_store, "a fox", negative_prompt="easynegative", model=model)
    said = json.loads(json.dumps(drawn.metadata_dict()))
    assert said["embeddings"] == ["easynegative"]
    assert len(said["embedding_sha256"]["easynegative"]) == 64
    again = next(imagine(ImaginePrompt.from_dict(said), store=tiny_store))
    assert (pixels(again.img) == pixels(drawn.img)).all()
    assert (pixels(again.img) != pixels(plain.img)).any()
    after = result(tiny_store, "a fox", model=model)
    assert (pixels(after.img) == pixels(plain.img)).all(), "nothing is left of it"


@pytest.mark.usefixtures("folder")
def test_orders_of_one_batch_read_their_own(
    tiny_folder: Path, tiny_store: ModelStore
) -> None:
    asked = [
        ImaginePrompt(
            text, seed=1, steps=1, width=64, height=64, model=str(tiny_folder)
        )
        for text in ("a zorb", "a fox " + "zorb " * 40, "a fox")
    ]
    together = list(imagine(asked, store=tiny_store, batch_size=3))
    alone = [next(imagine(each, store=tiny_store)) for each in asked]
    for one, other in zip(together, alone, strict=True):
        difference = pixels(one.img).astype(int) - pixels(other.img)
        assert abs(difference).max() <= 1


@pytest.mark.usefixtures("folder")
def test_the_command_takes_them(tiny_folder: Path) -> None:
    arguments = ["a zorb", "--model", str(tiny_folder), "--steps", "1", "--seed", "1"]
    arguments += ["--size", "64x64", "--embedding", "learned", "--embeddings", "q=zorb"]
    ran = CliRunner().invoke(imagine_cmd, arguments)
    assert ran.exit_code == 0, ran.output
    [picture] = Path("outputs").rglob("*.jpg")
    with Image.open(picture) as image:
        image.load()
    refused = CliRunner().invoke(imagine_cmd, [*arguments, "--embedding", "x" * 5000])
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a.pt", ("a.pt",)),
        (Path("a.pt"), ("a.pt",)),
        (["a.pt", "", " b = c.pt ", "a.pt"], ("a.pt", "b = c.pt")),
        ((), ()),
        ("", ()),
    ],
)
def test_several_are_given_in_any_form(value: Any, read: tuple[str, ...]) -> None:
    assert embeddings("embeddings", value) == read


@pytest.mark.parametrize(
    "value", [3, [3], [None], {"a": 1}, ["x" * 5000], ["a" * 101 + "=b"], ["a"] * 101]
)
def test_what_is_no_word_is_refused(value: Any) -> None:
    with pytest.raises(BadOptionError):
        embeddings("embeddings", value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("a.pt", ("", "a.pt")),
        ("zorb=a.pt", ("zorb", "a.pt")),
        ("<cat-toy>=owner/repo:a.bin", ("<cat-toy>", "owner/repo:a.bin")),
        ("/a=b/c.pt", ("", "/a=b/c.pt")),
        ("https://host/x?a=b", ("", "https://host/x?a=b")),
        ("=a.pt", ("", "=a.pt")),
    ],
)
def test_a_word_stands_before_its_file(given: str, read: tuple[str, str]) -> None:
    assert parse_embedding(given) == read


def test_words_come_with_loras(
    folder: Path,
    order: Any,
    tiny_folder: Path,
    tiny_store: ModelStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = {
        "lora_unet_conv_in.lora_up.weight": torch.zeros(32, 2, 1, 1),
        "lora_unet_conv_in.lora_down.weight": torch.zeros(2, 4, 3, 3),
        "lora_unet_conv_in.alpha": torch.tensor(2.0),
    }
    save_file(
        {**held, "bundle_emb.quux.string_to_param.*": ROWS}, folder / "with.safetensors"
    )
    save_file({**held}, folder / "bare.safetensors")
    save_file({"emb_params": ROWS}, folder / "plain.safetensors")
    caplog.clear()
    bundled = order("a quux, embedding:quux", loras="with")
    assert bundled.words == () and said_of_words(caplog) == []
    model = str(tiny_folder)
    drawn = [
        result(tiny_store, text, loras=lora, embeddings=words, model=model)
        for text, lora, words in (
            ("a quux", "with", ()),
            ("a quux", "bare", "quux=plain"),
            ("a quux", "bare", ()),
        )
    ]
    same, as_file, as_letters = (pixels(each.img).astype(int) for each in drawn)
    assert abs(same - as_file).max() <= 1
    assert abs(same - as_letters).max() > 1


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--embedding", "nowhere"), "There is no learned word 'nowhere'"),
        (("--hypernetwork", "nowhere=0.5"), "There is no hypernetwork 'nowhere'"),
        (
            ("--embedding", "other"),
            "a learned word for Stable Diffusion 1.x; the model",
        ),
        (("--hypernetwork", "zorb"), "holds no hypernetwork, but a textual inversion"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    options: tuple[str, str], says: str, tiny_folder: Path
) -> None:
    ran = CliRunner().invoke(
        imagine_cmd, ["a zorb", "--model", str(tiny_folder), "--steps", "1", *options]
    )
    assert ran.exit_code in (1, 2) and says in ran.output
    assert "Traceback" not in ran.output and not list(Path().rglob("*.jpg"))
