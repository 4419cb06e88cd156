"""Clip skip: an earlier layer of the text encoder reads the prompt."""

from pathlib import Path

import pytest
import torch
from transformers import CLIPTextModel

from imaginairy import ImaginePrompt, ModelStore, WeightedPrompt, imagine
from imaginairy.errors import BadOptionError
from imaginairy.metadata.foreign import parse_parameters
from imaginairy.metadata.read import read_written


def prompt(model: Path, **options: object) -> ImaginePrompt:
    return ImaginePrompt(
        "a red fox", seed=5, steps=1, width=64, height=64, model=str(model),
        negative_prompt="a bowl", **options,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("clip_skip", [1, 2])
def test_embeddings_equal_hidden_states_of_transformers(
    tiny_folder: Path, clip_skip: int
) -> None:
    model = ModelStore(device="cpu").get(str(tiny_folder)).diffusion
    theirs = CLIPTextModel.from_pretrained(tiny_folder / "text_encoder")
    ids = torch.tensor(model.encoders["text"].tokenizer.windows("a red fox"))
    with torch.no_grad():
        hidden = theirs(ids, output_hidden_states=True).hidden_states[-clip_skip]
        norm = getattr(theirs, "text_model", theirs).final_layer_norm
        wanted = norm(hidden)
        read = model.encoders["text"].embed([WeightedPrompt("a red fox")], clip_skip)
    torch.testing.assert_close(read, wanted)


def test_it_reaches_the_picture_and_its_record(
    tiny_folder: Path, tmp_path: Path
) -> None:
    store = ModelStore(device="cpu")
    by_default, first, second = imagine(
        [
            prompt(tiny_folder, **given)
            for given in ({}, {"clip_skip": 1}, {"clip_skip": 2})
        ],
        store=store,
    )
    assert by_default.md5() == first.md5() != second.md5()
    assert by_default.prompt.clip_skip == 1
    path = second.save(tmp_path / "fox.png")
    assert ImaginePrompt.from_file(path).clip_skip == 2
    parameters = read_written(path).parameters
    assert ", Clip skip: 2, " in parameters
    record = parse_parameters(parameters)
    assert record is not None
    assert record.fields["clip_skip"] == 2
    plain = read_written(first.save(tmp_path / "plain.png")).parameters
    assert "Clip skip" not in plain


def test_more_than_the_layers_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(BadOptionError) as caught:
        next(imagine(prompt(tiny_folder, clip_skip=3)))
    assert str(caught.value) == (
        "A clip_skip of 3 is more than the 2 layers of this model's text encoder; give "
        "one from 1 to 2."
    )


@pytest.mark.parametrize("clip_skip", [0, -1, 1.5, "2", True, 101])
def test_what_is_no_layer_is_refused(clip_skip: object) -> None:
    with pytest.raises(BadOptionError, match="clip_skip"):
        ImaginePrompt("a fox", clip_skip=clip_skip)  # type: ignore[arg-type]
