"""The options of the commands that make other files of models."""

from collections.abc import Iterator

import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.effects.options import Judge
from tests.support.runs import Ran

Row = tuple[str, tuple[str, ...], tuple[str, ...], Judge]
CONVERT = ("convert", "tiny", "made.safetensors")
EXTRACT = ("extract", "tiny", "other", "lora.safetensors")
FIRST = "model.diffusion_model.input_blocks.0.0.weight"
"""The tensor that the LoRA of the furnished folder changes."""


def tensors(ran: Ran, file: str = "made.safetensors") -> dict[str, Tensor]:
    return load_file(ran.folder / file)


def differ_in(*starts: str) -> Judge:
    """Return a judge that tensors differ whose names begin so, and no others."""

    def judge(before: Ran, after: Ran) -> None:
        first, second = tensors(before), tensors(after)
        assert first.keys() == second.keys()
        others = {name for name in first if not first[name].equal(second[name])}
        assert others and {n for n in first if n.startswith(starts)} >= others

    return judge


def it_is_half_as_large(before: Ran, after: Ran) -> None:
    assert {each.dtype for each in tensors(before).values()} == {
        torch.float32, torch.int64,
    }  # fmt: skip
    assert {each.dtype for each in tensors(after).values()} == {
        torch.float16, torch.int64,
    }  # fmt: skip


def its_matrices_are_in_8_bits(before: Ran, after: Ran) -> None:
    plain, packed = tensors(before), tensors(after)
    eight = {n for n, each in packed.items() if each.dtype == torch.float8_e4m3fn}
    assert eight and eight & {*plain} == {n for n in eight if n.endswith(".weight")}
    assert all(n.startswith("model.diffusion_model.") for n in eight)


def it_is_a_folder(before: Ran, after: Ran) -> None:
    assert "made/model_index.json" not in before.files
    assert "made/model_index.json" in after.files
    assert "made/unet/diffusion_pytorch_model.safetensors" in after.files


def it_has_that_name(before: Ran, after: Ran) -> None:
    assert "named.safetensors" not in before.files
    assert "named.safetensors" in after.files


def ranks(ran: Ran) -> set[tuple[int, ...]]:
    """The ranks of layers, and how wide each convolves."""
    lora = tensors(ran, "lora.safetensors")
    downs = (each for name, each in lora.items() if name.endswith("_down.weight"))
    return {(each.shape[0], *each.shape[2:]) for each in downs}


def every_layer_has_one_direction(before: Ran, after: Ran) -> None:
    assert max(ranks(before))[0] > 1
    assert {rank for rank, *_ in ranks(after)} == {1}


def wide_layers_have_one_direction(before: Ran, after: Ran) -> None:
    assert (1, 3, 3) not in ranks(before)
    assert {each for each in ranks(after) if each[1:] == (3, 3)} == {(1, 3, 3)}
    assert max(ranks(after))[0] > 1


def fewer_directions_are_kept(before: Ran, after: Ran) -> None:
    first, second = (tensors(ran, "lora.safetensors") for ran in (before, after))
    assert first.keys() == second.keys()
    sizes = (sum(each.numel() for each in held.values()) for held in (second, first))
    assert next(sizes) < 0.7 * next(sizes)


def its_names_are_those_of_peft(before: Ran, after: Ran) -> None:
    first, second = (tensors(ran, "lora.safetensors") for ran in (before, after))
    assert "lora_unet_conv_in.lora_up.weight" in first
    assert "unet.conv_in.lora_B.weight" in second


def it_is_for(before: Ran, after: Ran) -> None:
    """Only layers that differ are in a LoRA."""
    first, second = (tensors(ran, "lora.safetensors") for ran in (before, after))
    assert first.keys() == second.keys()
    name = "lora_unet_conv_in.lora_down.weight"
    assert not first[name].equal(second[name])


def it_is_of_all_layers(before: Ran, after: Ran) -> None:
    it_is_only_of_one_layer(after, before)


def it_is_only_of_one_layer(before: Ran, after: Ran) -> None:
    assert len(tensors(before, "lora.safetensors")) > 100
    assert {*tensors(after, "lora.safetensors")} == {
        f"lora_unet_conv_in.{end}"
        for end in ("lora_up.weight", "lora_down.weight", "alpha")
    }


def it_has_that_name_too(before: Ran, after: Ran) -> None:
    assert "lora.safetensors" in before.files
    assert "lora.safetensors" not in after.files
    assert "named.safetensors" in after.files


def a_lora_is_not_told_of(before: Ran, after: Ran) -> None:
    assert "saved lora.safetensors" in before.stderr
    assert not after.stderr
    assert before.files == after.files


def it_is_not_said(before: Ran, after: Ran) -> None:
    assert "saved made.safetensors" in before.stderr
    assert not after.stderr
    assert before.files == after.files


def it_is_the_unet_alone(before: Ran, after: Ran) -> None:
    start = "model.diffusion_model."
    whole, alone = (tensors(ran, "made.safetensors") for ran in (before, after))
    held = {name.removeprefix(start) for name in whole if name.startswith(start)}
    assert {*alone} == held < {*whole} | held


def convert_options() -> Iterator[Row]:
    """Yield what `aimg convert` has."""
    yield "model", CONVERT, ("convert", "other", CONVERT[2]), differ_in("")
    yield "out", CONVERT, (*CONVERT[:2], "named.safetensors"), it_has_that_name
    lora = (*CONVERT, "--lora", "some_lora.safetensors=2")
    yield "--lora", CONVERT, lora, differ_in(FIRST)
    vae = (*CONVERT, "--vae", "vae.safetensors")
    yield "--vae", CONVERT, vae, differ_in("first_stage_model.")
    text = (*CONVERT, "--text-encoder", "clip.safetensors")
    yield "--text-encoder", CONVERT, text, differ_in("cond_stage_model.")
    yield "--alone", CONVERT, (*CONVERT, "--alone"), it_is_the_unet_alone
    yield "--precision", CONVERT, (*CONVERT, "--precision", "fp16"), it_is_half_as_large
    folder = (*CONVERT[:2], "made", "--layout", "folder")
    yield "--layout", CONVERT, folder, it_is_a_folder
    yield "--pack", CONVERT, (*CONVERT, "--pack", "fp8"), its_matrices_are_in_8_bits
    other = (*CONVERT, ";", "convert", "other", CONVERT[2], "--yes")
    yield "--yes", CONVERT, other, differ_in("")
    for option in ("-q", "--quiet"):
        yield option, CONVERT, (*CONVERT, option), it_is_not_said


def extract_options() -> Iterator[Row]:
    """Yield what `aimg extract` has."""
    other, out = (*EXTRACT[:1], "tiny", "nearly.safetensors"), EXTRACT[3]
    yield "model_a", EXTRACT, ("extract", "nearly.safetensors", "other", out), it_is_for
    yield "model_b", EXTRACT, (*other, out), it_is_only_of_one_layer
    named = (*EXTRACT[:3], "named.safetensors")
    yield "out", EXTRACT, named, it_has_that_name_too
    yield "--rank", EXTRACT, (*EXTRACT, "--rank", "1"), every_layer_has_one_direction
    conv = (*EXTRACT, "--conv-rank", "1")
    yield "--conv-rank", EXTRACT, conv, wide_layers_have_one_direction
    yield "--keep", EXTRACT, (*EXTRACT, "--keep", "0.5"), fewer_directions_are_kept
    yield "--like", EXTRACT, (*EXTRACT, "--like", "peft"), its_names_are_those_of_peft
    again = (*other, out, ";", *EXTRACT, "--yes")
    yield "--yes", (*other, out), again, it_is_of_all_layers
    for option in ("-q", "--quiet"):
        yield option, EXTRACT, (*EXTRACT, option), a_lora_is_not_told_of
