"""Single files and folders in every layout that is out there."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.sources.layouts import pick_weights
from tests.support.checkpoints import (
    TEXT,
    UNET,
    VAE,
    WEIGHTS,
    Named,
    assert_same,
    change,
    halved,
    load_all,
    parts,
)
from tests.support.golden import CPU, tensor_shapes
from tests.support.pickles import lightning, save
from tests.support.tiny import tiny_pipeline

# --- single files ---------------------------------------------------------------------


def without_text_level(tensors: Named) -> Named:
    return {
        name.replace("transformer.text_model.", "transformer."): tensor
        for name, tensor in tensors.items()
    }


def with_extras(tensors: Named) -> Named:
    """Add what published files hold besides the weights."""
    copies = {
        "model_ema." + name.removeprefix("model.").replace(".", ""): tensor + 1
        for name, tensor in tensors.items()
        if name.startswith(UNET)
    }
    buffers = {
        name: torch.ones(1000)
        for name in tensor_shapes("single file")
        if "." not in name
    }
    assert len(buffers) == 12
    others = (
        "logvar",
        "scale_factor",
        "model_ema.decay",
        "model_ema.num_updates",
        f"{TEXT}embeddings.position_ids",
        f"{VAE}loss.logvar",
        f"{VAE}loss.discriminator.main.0.weight",
        "cond_stage_model.logit_scale",
        "cond_stage_model.text_projection",
        "cond_stage_model.transformer.logit_scale",
        "cond_stage_model.transformer.text_projection.weight",
        "cond_stage_model.transformer.visual_projection.weight",
        "cond_stage_model.transformer.vision_model.post_layernorm.weight",
        "safety_checker.concept_embeds",
    )
    return tensors | copies | buffers | {name: torch.ones(1) for name in others}


def old_pickle(tensors: Named, path: Path) -> None:
    torch.save({"state_dict": tensors}, path, _use_new_zipfile_serialization=False)


SINGLE_FILES: dict[str, Callable[[Named, Path], object]] = {
    "safetensors": save_file,
    "safetensors with extras": lambda t, path: save_file(with_extras(t), path),
    "safetensors without a level": lambda t, path: save_file(
        without_text_level(t), path
    ),
    "ckpt": lambda t, path: torch.save({"state_dict": t}, path),
    "ckpt at the top": torch.save,
    "ckpt in the old format": old_pickle,
    "ckpt of Lightning": lambda t, path: save(lightning(t), path),
    "ckpt of Lightning with extras": lambda t, path: save(
        lightning(with_extras(t)), path
    ),
    "ckpt of Lightning in the old format": lambda t, path: save(
        lightning(t), path, legacy=True
    ),
    "ckpt of parameters": lambda t, path: torch.save(
        {name: torch.nn.Parameter(tensor) for name, tensor in t.items()}, path
    ),
    "ckpt out of order": lambda t, path: torch.save(
        {
            name: tensor.mT.contiguous().mT if tensor.ndim > 1 else tensor
            for name, tensor in reversed(t.items())
        },
        path,
    ),
}


@pytest.mark.parametrize("kind", SINGLE_FILES)
def test_single_files_of_every_kind_and_any_ending(
    compvis: Named, wanted: dict[str, Named], tmp_path: Path, kind: str
) -> None:
    """Loaded under the ending of another kind, and open to all under its own."""
    own, other = ".safetensors", ".ckpt"
    if not kind.startswith("safe"):
        own, other = other, own
    file = tmp_path / f"model{other}"
    SINGLE_FILES[kind](compvis, file)
    assert_same(load_all(file), wanted)
    file = file.rename(tmp_path / f"model{own}")
    checkpoint = read_checkpoint(file)
    assert checkpoint.weight_files == (file,)
    assert not checkpoint.vocabularies
    for part in parts(checkpoint).values():
        for name in part.tensors.shapes:
            whole = part.tensors.prefix + name
            if whole in compvis:
                assert torch.equal(part.tensors.read(name), compvis[whole])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_single_files_in_other_precisions(
    compvis: Named, wanted: dict[str, Named], tmp_path: Path, dtype: torch.dtype
) -> None:
    file = tmp_path / "model.safetensors"
    save_file({name: tensor.to(dtype) for name, tensor in compvis.items()}, file)
    cast = {
        part: {name: tensor.to(dtype).float() for name, tensor in named.items()}
        for part, named in wanted.items()
    }
    assert_same(load_all(file), cast)


def test_a_single_file_may_be_in_shards(
    compvis: Named, wanted: dict[str, Named], tmp_path: Path
) -> None:
    names = sorted(compvis)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, held in shards.items():
        save_file({name: compvis[name] for name in held}, tmp_path / shard)
    places = {name: shard for shard, held in shards.items() for name in held}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert_same(load_all(index), wanted)
    files = read_checkpoint(index).weight_files
    assert files == (tmp_path / "a.safetensors", tmp_path / "b.safetensors")


def test_a_vocabulary_beside_a_single_file_is_the_model_s(
    compvis: Named, tiny_folder: Path, tmp_path: Path
) -> None:
    save_file(compvis, tmp_path / "model.safetensors")
    shutil.copy(tiny_folder / "tokenizer" / "tokenizer.json", tmp_path)
    checkpoint = read_checkpoint(tmp_path / "model.safetensors")
    assert checkpoint.vocabularies == {"text": tmp_path}


# --- folders --------------------------------------------------------------------------


OLD_ATTENTION = {
    "to_q": "query",
    "to_k": "key",
    "to_v": "value",
    "to_out.0": "proj_attn",
}


def old_names(tensors: Named) -> Named:
    renamed = {}
    for name, tensor in tensors.items():
        if ".attentions." in name:
            for new, old in OLD_ATTENTION.items():
                name = name.replace(f".{new}.", f".{old}.")
        renamed[name] = tensor
    assert renamed.keys() != tensors.keys()
    return renamed


def as_convolutions(tensors: Named) -> Named:
    return {
        name: tensor[:, :, None, None]
        if ".attentions." in name and tensor.ndim == 2
        else tensor
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize("old", [False, True], ids=["new names", "old names"])
@pytest.mark.parametrize("conv", [False, True], ids=["matrices", "convolutions"])
def test_autoencoders_with_any_attention(
    folder: Path, wanted: dict[str, Named], old: bool, conv: bool
) -> None:
    if old:
        change(folder, "vae", old_names)
    if conv:
        change(folder, "vae", as_convolutions)
    assert_same(load_all(folder), wanted)


def with_level(tensors: Named) -> Named:
    return {f"text_model.{name}": t for name, t in without_level(tensors).items()}


def without_level(tensors: Named) -> Named:
    return {name.removeprefix("text_model."): t for name, t in tensors.items()}


@pytest.mark.parametrize("level", [with_level, without_level])
@pytest.mark.parametrize("more", [False, True], ids=["bare", "with more"])
def test_text_encoders_with_and_without_their_level(
    folder: Path,
    wanted: dict[str, Named],
    level: Callable[[Named], Named],
    more: bool,
) -> None:
    """Alone, and with what else is published beside them."""
    ids, projection = "embeddings.position_ids", "text_projection.weight"
    if more:
        change(folder, "text_encoder", without_level)
        change(folder, "text_encoder", lambda t: t | {ids: torch.arange(77)[None]})
    change(folder, "text_encoder", level)
    if more:
        change(folder, "text_encoder", lambda t: t | {projection: torch.ones(8, 48)})
    assert_same(load_all(folder), wanted)


def test_weights_in_pickles(folder: Path, wanted: dict[str, Named]) -> None:
    for part, stem in WEIGHTS.items():
        file = folder / part / f"{stem}.safetensors"
        stem = "pytorch_model" if part == "text_encoder" else stem
        torch.save(load_file(file), folder / part / f"{stem}.bin")
        file.unlink()
    assert_same(load_all(folder), wanted)


def test_weights_in_shards(tmp_path: Path, wanted: dict[str, Named]) -> None:
    folder = tmp_path / "sharded"
    tiny_pipeline().save_pretrained(folder, max_shard_size="200KB")
    for part in ("unet", "vae"):
        names = {file.name for file in (folder / part).iterdir()}
        assert f"{WEIGHTS[part]}.safetensors.index.json" in names
        assert f"{WEIGHTS[part]}.safetensors" not in names
    assert_same(load_all(folder), wanted)
    files = read_checkpoint(folder).weight_files
    assert len(files) > 6
    assert {file.suffix for file in files} == {".safetensors"}


@pytest.mark.parametrize("shard_size", ["10GB", "200KB"], ids=["whole", "sharded"])
def test_half_precision_is_taken_where_wanted_or_where_there_is_no_other(
    folder: Path, wanted: dict[str, Named], shard_size: str
) -> None:
    pipeline = tiny_pipeline().to(dtype=torch.float16)
    pipeline.save_pretrained(folder, variant="fp16", max_shard_size=shard_size)
    assert_same(load_all(folder, half=True), halved(wanted))
    assert_same(load_all(folder), wanted)
    for file in folder.glob("*/*.safetensors"):
        if "fp16" not in file.name:
            file.unlink()
    assert_same(load_all(folder), halved(wanted))


def test_whole_precision_serves_where_half_is_wanted_but_not_there(
    tiny_folder: Path, wanted: dict[str, Named]
) -> None:
    assert_same(load_all(tiny_folder, half=True), wanted)


@pytest.mark.parametrize(
    ("files", "whole", "half"),
    [
        (["model.safetensors"], 0, 0),
        (["model.safetensors", "model.fp16.safetensors"], 0, 1),
        (["model.fp16.safetensors"], 0, 0),
        (["model.bf16.safetensors"], 0, 0),
        (["model.bf16.safetensors", "model.safetensors"], 1, 0),
        (["model.bf16.safetensors", "model.fp16.safetensors"], 1, 1),
        (["pytorch_model.bin", "model.safetensors"], 1, 1),
        (["pytorch_model.bin", "pytorch_model.fp16.bin"], 0, 1),
        (["pytorch_model.bin", "model.fp16.safetensors"], 1, 1),
        (["model.safetensors.index.json", "model-00001-of-00002.safetensors"], 0, 0),
        (["model.safetensors", "model.safetensors.index.json"], 0, 0),
        (["model.safetensors", "model.safetensors.index.fp16.json"], 0, 1),
        (
            [
                "model.fp16-00001-of-00002.safetensors",
                "model.safetensors.index.fp16.json",
            ],
            1,
            1,
        ),
        (["model.non_ema.safetensors", "model.safetensors"], 1, 1),
        (["model.safetensors.bak", "model.safetensors", "config.json"], 1, 1),
        (["flax_model.msgpack", "tf_model.h5", "pytorch_model.bin"], 2, 2),
    ],
)
def test_which_of_several_weight_files_is_taken(
    files: list[str], whole: int, half: int
) -> None:
    there = [f"text_encoder/{name}" for name in files] + ["vae/model.safetensors"]
    for order in (there, there[::-1]):
        assert pick_weights(order, "text_encoder", half=False) == there[whole]
        assert pick_weights(order, "text_encoder", half=True) == there[half]


@pytest.mark.parametrize(
    "files",
    [
        [],
        ["unet/config.json"],
        ["unet/diffusion_pytorch_model.non_ema.safetensors"],
        ["vae/diffusion_pytorch_model.safetensors"],
        ["diffusion_pytorch_model.safetensors"],
        ["unet/onnx/model.safetensors"],
    ],
)
def test_a_folder_without_weights_is_refused(files: list[str]) -> None:
    with pytest.raises(CheckpointError, match="no weights in 'unet/'; it should hold"):
        pick_weights(files, "unet", half=False, beside=("unet", "vae"))


def test_the_schedule_of_a_folder_is_read(folder: Path) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    assert read_checkpoint(folder).schedule.beta_end == 0.012
    given = {"beta_start": 0.001, "beta_end": 0.02, "num_train_timesteps": 500}
    file.write_text(json.dumps(given))
    schedule = read_checkpoint(folder).schedule
    assert (schedule.beta_start, schedule.beta_end) == (0.001, 0.02)
    assert schedule.timesteps == 500
    file.unlink()
    assert read_checkpoint(folder).schedule.timesteps == 1000


# --- how it is loaded -----------------------------------------------------------------


def test_weights_are_used_where_they_lie(compvis: Named, tmp_path: Path) -> None:
    """Nothing is copied, drawn at random, or learnt."""
    save_file(compvis, tmp_path / "model.safetensors")
    checkpoint = read_checkpoint(tmp_path / "model.safetensors")
    before = torch.get_rng_state()
    network = checkpoint.parts["denoiser"].load(CPU, torch.float32)
    assert torch.equal(torch.get_rng_state(), before)
    tensors = checkpoint.parts["denoiser"].tensors
    theirs = {tensors.read(name).data_ptr() for name in tensors.shapes}
    ours = {parameter.data_ptr() for parameter in network.parameters()}
    assert ours == theirs
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weights_are_cast_once(compvis: Named, tmp_path: Path) -> None:
    save_file(compvis, tmp_path / "model.safetensors")
    unet = read_checkpoint(tmp_path / "model.safetensors").parts["denoiser"]
    network = unet.load(CPU, torch.float16)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float16}
    weight = compvis[f"{UNET}input_blocks.0.0.weight"]
    assert torch.equal(network.state_dict()["conv_in.weight"], weight.half())
