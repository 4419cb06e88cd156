"""Checkpoints that lack something, have too much, or are of other families."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.loading import load
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import (
    PARTS,
    TEXT,
    UNET,
    VAE,
    WEIGHTS,
    Named,
    change,
    refusal,
    shapes_of,
    write_hollow,
)
from tests.support.golden import CPU
from tests.support.kin import hollow, kin_unet

PREFIXES = {UNET: "unet", VAE: "vae", TEXT: "text_encoder"}

# --- what does not fit ----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        f"{UNET}out.3.weight",
        f"{UNET}label_emb.0.0.weight",
        f"{UNET}model_ema",
        f"{VAE}decoder.mid.attn_2.q.weight",
        f"{TEXT}encoder.layers.2.mlp.fc1.bias",
        "cond_stage_model.transformer.adapter.weight",
        "cond_stage_model.adapter.weight",
        f"{UNET}middle_block.1.proj_in.lora_down.weight",
        f"{UNET}model_ema.decay",
        f"{VAE}quantize.embedding.weight",
    ],
)
def test_a_tensor_that_nothing_explains_is_named(
    compvis: Named, tmp_path: Path, name: str
) -> None:
    shapes = shapes_of(compvis) | {name: (3,)}
    write_hollow(tmp_path / "model.safetensors", shapes)
    message = refusal(tmp_path / "model.safetensors")
    assert name in message
    assert str(tmp_path / "model.safetensors") in message


def test_tensors_that_nothing_explains_are_named_in_folders(folder: Path) -> None:
    for part in PARTS:
        whole = load_file(folder / part / f"{WEIGHTS[part]}.safetensors")
        change(folder, part, lambda t: t | {"adapter.weight": torch.ones(1)})
        assert "adapter.weight" in refusal(folder)
        change(folder, part, lambda _, whole=whole: whole)


def test_any_tensor_that_is_missing_is_reported(compvis: Named, tmp_path: Path) -> None:
    """By its own name, but for the few that the size of the network is read from.

    Names that differ in numbers only are tried once.
    """
    file, whole = tmp_path / "model.safetensors", shapes_of(compvis)
    unnamed = set()
    for name in {re.sub(r"\d+", "", name): name for name in whole}.values():
        write_hollow(file, {n: shape for n, shape in whole.items() if n != name})
        own = name.removeprefix(UNET).removeprefix(VAE).removeprefix(TEXT)
        [part] = [part for prefix, part in PREFIXES.items() if name.startswith(prefix)]
        if own not in refusal(file, only=[part]):
            unnamed.add(name)
    assert all(read_for_size(name) for name in unnamed), unnamed


def read_for_size(name: str) -> bool:
    """Whether a network without this tensor looks like one of another size."""
    return name.endswith(
        (
            ".in_layers.2.weight",
            ".op.weight",
            ".conv1.weight",
            ".1.norm.weight",
            ".norm_out.weight",
            ".attn_1.q.weight",
            "quant_conv.weight",
            ".mlp.fc1.weight",
        )
    )


def test_only_the_first_few_of_many_faults_are_named(
    compvis: Named, tmp_path: Path
) -> None:
    shapes = shapes_of(compvis)
    lost = [name for name in shapes if "out_layers.0" in name]
    for name in lost:
        del shapes[name]
    bent = [name for name in shapes if "transformer_blocks.0.norm1" in name]
    for name in bent:
        shapes[name] = (*shapes[name], 2)
    shapes |= {f"{UNET}more.{number}": (1,) for number in range(99)}
    write_hollow(tmp_path / "model.safetensors", shapes)
    message = refusal(tmp_path / "model.safetensors")
    assert f"{len(lost)} missing ({lost[0]}, " in message
    assert f"99 unexpected ({UNET}more.0, {UNET}more.1, {UNET}more.2" in message
    assert f"{len(bent)} misshapen ({bent[0]} is ({shapes[bent[0]][0]}, 2) " in message
    assert "does not fit the UNet" in message


def test_a_window_without_room_for_text_is_refused(
    compvis: Named, tmp_path: Path
) -> None:
    name = f"{TEXT}embeddings.position_embedding.weight"
    file = tmp_path / "model.safetensors"
    write_hollow(file, shapes_of(compvis) | {name: (2, 48)})
    assert "The text encoder of this checkpoint reads 2 tokens at a" in refusal(file)
    write_hollow(file, shapes_of(compvis) | {name: (3, 48)})
    assert read_checkpoint(file).parts["text"].config.max_tokens == 3


def test_a_misshapen_tensor_is_named(compvis: Named, tmp_path: Path) -> None:
    name = f"{VAE}decoder.up.1.block.2.conv2.weight"
    shapes = shapes_of(compvis)
    out, into, *kernel = shapes[name]
    shapes[name] = (out, into + 1, *kernel)
    write_hollow(tmp_path / "model.safetensors", shapes)
    message = refusal(tmp_path / "model.safetensors")
    assert f"1 misshapen ({name} is ({out}, {into + 1}, 3, 3) instead of" in message


def test_weights_that_are_no_floating_point_numbers_are_refused(
    compvis: Named, tmp_path: Path
) -> None:
    """They are quantised, and would be taken for what they are not."""
    write_hollow(tmp_path / "model.safetensors", shapes_of(compvis), "I8")
    message = refusal(tmp_path / "model.safetensors")
    assert "as torch.int8; only floating-point weights are supported" in message


@pytest.mark.parametrize("bits", [0x7F, 0xFF])
def test_weights_of_8_bits_that_are_no_numbers_are_refused(
    bits: int, compvis: Named, tmp_path: Path
) -> None:
    name = UNET + "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    small = compvis[name].to(torch.float8_e4m3fn)
    small.view(torch.uint8)[0, 0] = bits
    for scale in ({}, {name.replace(".weight", ".scale_weight"): torch.ones(())}):
        save_file({**compvis, name: small, **scale}, tmp_path / "model.safetensors")
        assert f"NaN in {name}" in refusal(tmp_path / "model.safetensors")


@pytest.mark.parametrize("prefix", [UNET, "cond_stage_model."])
def test_a_file_that_lacks_a_whole_network_is_refused(
    compvis: Named, tmp_path: Path, prefix: str
) -> None:
    rest = {n: s for n, s in shapes_of(compvis).items() if not n.startswith(prefix)}
    write_hollow(tmp_path / "model.safetensors", rest)
    lacking = {UNET: "of a model without its UNet"}
    message = refusal(tmp_path / "model.safetensors")
    assert lacking.get(prefix, "no text encoder") in message


def test_other_files_of_tensors_are_refused(tmp_path: Path) -> None:
    save_file({"lorry.weight": torch.ones(2)}, tmp_path / "other.safetensors")
    message = refusal(tmp_path / "other.safetensors")
    assert "1.x or Stable Diffusion XL Refiner: no tensor is named" in message
    assert "it has lorry.weight" in message


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "has no weights in 'unet/'" in refusal(tmp_path)


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in refusal(tmp_path / "gone")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("text", ["{", "[1]", "3", "null"])
def test_settings_that_cannot_be_read_are_refused(
    folder: Path, part: str, text: str
) -> None:
    (folder / part / "config.json").write_text(text, encoding="utf-8")
    assert f"'{folder / part / 'config.json'}'" in refusal(folder)


@pytest.mark.parametrize(
    ("part", "given", "said"),
    [
        ("unet", {"attention_head_dim": 7}, "7 heads cannot share 32 channels evenly"),
        ("unet", {"attention_head_dim": [8]}, "the attention heads of 1 levels; its"),
        ("unet", {"attention_head_dim": "8"}, "_dim '8', which is no whole number"),
        ("unet", {"attention_head_dim": [8, 0]}, "_dim '[8, 0]', which is no whole"),
        ("unet", {"attention_head_dim": 2.0}, "_dim '2.0', which is no whole number"),
        ("unet", {"norm_num_groups": 8.0}, "_groups '8.0', which is no whole number"),
        ("vae", {"norm_num_groups": -8}, "_groups '-8', which is no whole number fr"),
        ("text_encoder", {"num_attention_heads": -3}, "_heads '-3', which is no whole"),
        ("unet", {"norm_num_groups": 31}, "UNet of a workable size"),
        ("vae", {"norm_num_groups": 31}, "Autoencoder of a workable size"),
        ("text_encoder", {"num_attention_heads": 5}, "5 heads cannot share 48"),
        ("text_encoder", {"hidden_act": "tanh"}, "only 'quick_gelu' and 'gelu', as"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(
    folder: Path, part: str, given: dict[str, Any], said: str
) -> None:
    file = folder / part / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | given))
    assert said in refusal(folder)


# --- other families -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("control_model.input_hint_block.0.weight", "is a ControlNet checkpoint"),
        ("conditioner.embedders.0.logit_scale", "is a UNet of one family with"),
        ("cond_stage_model.model.ln_final.weight", "is a UNet of one family with"),
    ],
)
def test_what_a_name_makes_of_a_checkpoint_is_said(
    compvis: Named, tmp_path: Path, name: str, meaning: str
) -> None:
    write_hollow(tmp_path / "model.safetensors", shapes_of(compvis) | {name: (3,)})
    assert meaning in refusal(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("2.1", "reads embeddings 1024 wide and the text of this model is 48 wide"),
        ("XL", "is not of the Stable Diffusion 1.x design"),
    ],
)
def test_a_folder_with_the_unet_of_another_family_is_refused(
    folder: Path, family: str, said: str
) -> None:
    unet = hollow(kin_unet, family)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    write_hollow(file, shapes_of(unet))
    (folder / "unet" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        load(locate(DRAWS, str(folder)), CPU, torch.float32)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("prediction_type", "score", "; only 'epsilon', 'v_prediction' and 'sample'"),
        ("beta_schedule", "squaredcos_cap_v2", "; only 'scaled_linear' and 'linear'"),
        ("thresholding", True, "; only 'False', as Stable Diffusion 1.x has"),
        ("beta_start", "0.1x", ", which is no number between 0 and 1"),
        ("beta_end", 1, ", which is no number between 0 and 1"),
        ("num_train_timesteps", 1, ", which is no whole number from 3 to 100000"),
    ],
)
def test_models_trained_otherwise_are_refused(
    folder: Path, name: str, value: object, problem: str
) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({name: value}))
    message = refusal(folder)
    assert f"has {name} '{value}'{problem}" in message


@pytest.mark.parametrize("betas", ["0.1", [0.1], [0.1, "0.2"], [0.1, 2], [0.1, None]])
def test_betas_that_are_none_are_refused(folder: Path, betas: object) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({"trained_betas": betas}))
    assert "which is no list of 2 to 100000 numbers between 0 and 1" in refusal(folder)


def test_a_schedule_that_is_no_json_is_refused(folder: Path) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text("beta_start: 1")
    assert f"'{file}' is not valid JSON" in refusal(folder)
