"""Checkpoints in every layout that is out there, and those that are not ours."""

import json
import math
import re
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from imaginairy.errors import CheckpointError
from imaginairy.models import keymaps
from imaginairy.models.checkpoint import (
    PARTS,
    Checkpoint,
    Part,
    pick_weights,
    read_checkpoint,
)
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig
from tests.golden import CPU, tensor_shapes
from tests.models.pickles import lightning, save
from tests.tiny import tiny_pipeline

Named = dict[str, Tensor]
UNET, VAE = "model.diffusion_model.", "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}


def parts(checkpoint: Checkpoint) -> dict[str, Part]:
    return {
        "unet": checkpoint.unet,
        "vae": checkpoint.autoencoder,
        "text_encoder": checkpoint.text,
    }


def load_all(path: Path, *, half: bool = False) -> dict[str, Named]:
    """Load the networks of a checkpoint; return {part: its weights by our names}."""
    return {
        name: dict(part.load(CPU, torch.float32).state_dict())
        for name, part in parts(read_checkpoint(path, half=half)).items()
    }


def assert_same(ours: dict[str, Named], theirs: dict[str, Named]) -> None:
    for part in PARTS:
        assert ours[part].keys() == theirs[part].keys()
        for name, tensor in theirs[part].items():
            assert torch.equal(ours[part][name], tensor), f"{part}: {name}"


def halved(weights: dict[str, Named]) -> dict[str, Named]:
    return {
        part: {name: tensor.half().float() for name, tensor in named.items()}
        for part, named in weights.items()
    }


def refusal(path: Path) -> str:
    """Return the one-line message with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_all(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 2 * len(str(path)) + 800
    return message


@pytest.fixture(scope="module")
def wanted(tiny_folder: Path) -> dict[str, Named]:
    """Return the weights as loaded from what diffusers saved."""
    return load_all(tiny_folder)


@pytest.fixture(scope="module")
def compvis(tiny_folder: Path) -> Named:
    """Return the same weights in the CompVis naming, as they stand in one file.

    That the naming is CompVis' is shown by the goldens and the published names.
    """
    checkpoint = read_checkpoint(tiny_folder)
    tensors: Named = {}
    for prefix, part, names in (
        (UNET, checkpoint.unet, keymaps.unet_compvis(checkpoint.unet.config)),
        (
            VAE,
            checkpoint.autoencoder,
            keymaps.autoencoder_compvis(checkpoint.autoencoder.config),
        ),
        (TEXT, checkpoint.text, keymaps.clip_text(checkpoint.text.config)),
    ):
        for name, tensor in part.load(CPU, torch.float32).state_dict().items():
            module, _, leaf = name.rpartition(".")
            if ".attention." in name and prefix == VAE and tensor.ndim == 2:
                tensor = tensor[:, :, None, None]
            tensors[f"{prefix}{names[module]}.{leaf}"] = tensor.contiguous()
    return tensors


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """Return a folder in the diffusers layout that a test may change."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


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


@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
@pytest.mark.parametrize("kind", SINGLE_FILES)
def test_single_files_of_every_kind_and_any_ending(
    compvis: Named, wanted: dict[str, Named], tmp_path: Path, kind: str, ending: str
) -> None:
    file = tmp_path / f"model{ending}"
    SINGLE_FILES[kind](compvis, file)
    assert_same(load_all(file), wanted)
    checkpoint = read_checkpoint(file)
    assert checkpoint.weight_files == (file,)
    assert checkpoint.tokenizer_folder is None


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
    assert read_checkpoint(tmp_path / "model.safetensors").tokenizer_folder == tmp_path


# --- folders --------------------------------------------------------------------------


def change(folder: Path, part: str, changed: Callable[[Named], Named]) -> None:
    """Write the weights of a part anew."""
    file = folder / part / f"{WEIGHTS[part]}.safetensors"
    save_file(changed(load_file(file)), file)


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
    with pytest.raises(CheckpointError, match="no weights in 'unet/'; a diffusers fol"):
        pick_weights(files, "unet", half=False)


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
    network = checkpoint.unet.load(CPU, torch.float32)
    assert torch.equal(torch.get_rng_state(), before)
    tensors = checkpoint.unet.tensors
    theirs = {tensors.read(name).data_ptr() for name in tensors.shapes}
    ours = {parameter.data_ptr() for parameter in network.parameters()}
    assert ours == theirs
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weights_are_cast_once(compvis: Named, tmp_path: Path) -> None:
    save_file(compvis, tmp_path / "model.safetensors")
    unet = read_checkpoint(tmp_path / "model.safetensors").unet
    network = unet.load(CPU, torch.float16)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float16}
    weight = compvis[f"{UNET}input_blocks.0.0.weight"]
    assert torch.equal(network.state_dict()["conv_in.weight"], weight.half())


# --- the published files --------------------------------------------------------------


def write_hollow(
    path: Path, shapes: Mapping[str, tuple[int, ...]], kind: str = "F32"
) -> None:
    """Write safetensors with nothing in them but a hole, of any size in no time."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        own = "I64" if name.endswith("position_ids") else kind
        begin, size = end, {"I64": 8, "F32": 4, "I8": 1}[own]
        end += size * math.prod(shape)
        header[name] = {"dtype": own, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


def sizes(checkpoint: Checkpoint) -> tuple[Any, Any, Any]:
    return (
        checkpoint.unet.config,
        checkpoint.autoencoder.config,
        checkpoint.text.config,
    )


def load_and_compare_names(checkpoint: Checkpoint) -> None:
    """Load it all; nothing may be missing, and nothing left over but what is known."""
    for part in parts(checkpoint).values():
        network = part.load(CPU, torch.float32)
        spare = [name for name in part.tensors.shapes if not name.endswith("_ids")]
        assert len(network.state_dict()) == len(spare)


@pytest.mark.parametrize(
    ("kind", "channels"), [("single file", 4), ("single file inpainting", 9)]
)
def test_the_published_single_files_load(
    tmp_path: Path, kind: str, channels: int
) -> None:
    """All names and shapes of Stable Diffusion 1.5, the averages' counters included."""
    shapes = tensor_shapes(kind)
    assert len(shapes) == 1145
    write_hollow(tmp_path / "model.safetensors", shapes)
    checkpoint = read_checkpoint(tmp_path / "model.safetensors")
    assert sizes(checkpoint) == (
        UNetConfig(in_channels=channels),
        AutoencoderConfig(),
        ClipTextConfig(),
    )
    load_and_compare_names(checkpoint)


def test_the_published_folder_loads(tmp_path: Path) -> None:
    """As it is on the hub: old attention names, position ids, no config needed."""
    for part, stem in WEIGHTS.items():
        (tmp_path / part).mkdir()
        shapes = tensor_shapes(part)
        assert len(shapes) == {"unet": 686, "vae": 248, "text_encoder": 197}[part]
        write_hollow(tmp_path / part / f"{stem}.safetensors", shapes)
    assert "decoder.mid_block.attentions.0.proj_attn.bias" in tensor_shapes("vae")
    checkpoint = read_checkpoint(tmp_path)
    assert sizes(checkpoint) == (UNetConfig(), AutoencoderConfig(), ClipTextConfig())
    load_and_compare_names(checkpoint)


# --- what does not fit ----------------------------------------------------------------


def shapes_of(tensors: Named) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


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
        "control_model.input_hint_block.0.weight",
        "embedding_manager.string_to_param_dict.*",
        "first_stage_modelling.weight",
        "xbetas",
        "betasx",
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
        if own not in refusal(file):
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


@pytest.mark.parametrize("prefix", [UNET, VAE, "cond_stage_model."])
def test_a_file_that_lacks_a_whole_network_is_refused(
    compvis: Named, tmp_path: Path, prefix: str
) -> None:
    rest = {n: s for n, s in shapes_of(compvis).items() if not n.startswith(prefix)}
    write_hollow(tmp_path / "model.safetensors", rest)
    lacking = {UNET: "no Stable Diffusion checkpoint", VAE: "no autoencoder"}
    message = refusal(tmp_path / "model.safetensors")
    assert lacking.get(prefix, "no text encoder") in message


def test_other_files_of_tensors_are_refused(tmp_path: Path) -> None:
    save_file({"lora_up.weight": torch.ones(2)}, tmp_path / "lora.safetensors")
    message = refusal(tmp_path / "lora.safetensors")
    assert "is no Stable Diffusion checkpoint" in message
    assert "it has lora_up.weight" in message


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
        ("unet", {"attention_head_dim": [8]}, "UNet"),
        ("unet", {"attention_head_dim": "8"}, "UNet"),
        ("unet", {"attention_head_dim": [8, 0]}, "UNet"),
        ("unet", {"norm_num_groups": 31}, "UNet of a workable size"),
        ("vae", {"norm_num_groups": 31}, "Autoencoder of a workable size"),
        ("text_encoder", {"num_attention_heads": 5}, "5 heads cannot share 48"),
        ("text_encoder", {"hidden_act": "tanh"}, "only quick_gelu and gelu are"),
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
    "name",
    [
        "cond_stage_model.model.transformer.resblocks.0.ln_1.weight",
        "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight",
    ],
)
def test_single_files_of_other_families_are_refused(
    compvis: Named, tmp_path: Path, name: str
) -> None:
    shapes = shapes_of(compvis) | {name: (4,)}
    write_hollow(tmp_path / "model.safetensors", shapes)
    message = refusal(tmp_path / "model.safetensors")
    assert "is a Stable Diffusion 2 or XL checkpoint; only 1.x is supported" in message


OTHER_UNETS: dict[str, dict[str, Any]] = {
    "2.1": {
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
    },
    "XL": {
        "block_out_channels": (320, 640, 1280),
        "down_block_types": (
            "DownBlock2D",
            "CrossAttnDownBlock2D",
            "CrossAttnDownBlock2D",
        ),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}


@pytest.mark.parametrize("family", OTHER_UNETS)
def test_folders_of_other_families_are_refused(folder: Path, family: str) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(**OTHER_UNETS[family])
    shapes = shapes_of(dict(unet.state_dict()))
    write_hollow(folder / "unet" / "diffusion_pytorch_model.safetensors", shapes)
    unet.save_config(folder / "unet")
    message = refusal(folder)
    assert "is not of the Stable Diffusion 1.x design" in message


@pytest.mark.parametrize(
    ("name", "value", "supported"),
    [
        ("prediction_type", "v_prediction", "epsilon"),
        ("prediction_type", "sample", "epsilon"),
        ("beta_schedule", "linear", "scaled_linear"),
        ("trained_betas", [0.1, 0.2], "None"),
        ("rescale_betas_zero_snr", True, "False"),
    ],
)
def test_models_trained_otherwise_are_refused(
    folder: Path, name: str, value: object, supported: str
) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({name: value}))
    message = refusal(folder)
    assert f"has {name} '{value}'; only '{supported}'" in message


def test_a_schedule_that_is_no_json_is_refused(folder: Path) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text("beta_start: 1")
    assert f"'{file}' is not valid JSON" in refusal(folder)


# --- broken at random -----------------------------------------------------------------

broken_at_random = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def load_or_refuse(path: Path) -> None:
    try:
        load_all(path)
    except CheckpointError as error:
        assert "\n" not in str(error)


@broken_at_random
@given(data=st.data())
def test_tensors_of_any_shape_are_loaded_or_refused(
    compvis: Named, tmp_path: Path, data: st.DataObject
) -> None:
    shapes = shapes_of(compvis)
    names = st.sampled_from(sorted(shapes))
    sides = st.one_of(st.integers(0, 70), st.sampled_from([0, 2**31, 2**62]))
    for name in data.draw(st.lists(names, min_size=1, max_size=3)):
        shape = tuple(data.draw(st.lists(sides, max_size=5)))
        shapes[name] = shape if math.prod(shape) < 10**6 else (*shape, 0)
    write_hollow(tmp_path / "model.safetensors", shapes)
    load_or_refuse(tmp_path / "model.safetensors")


@broken_at_random
@given(data=st.data())
def test_names_with_wrong_letters_are_refused(
    compvis: Named, tmp_path: Path, data: st.DataObject
) -> None:
    file = tmp_path / "model.safetensors"
    write_hollow(file, shapes_of(compvis))
    with file.open("r+b") as opened:
        [length] = struct.unpack("<Q", opened.read(8))
        for _ in range(data.draw(st.integers(1, 4))):
            opened.seek(8 + data.draw(st.integers(0, length - 1)))
            opened.write(data.draw(st.binary(min_size=1, max_size=1)))
    load_or_refuse(file)


@broken_at_random
@given(
    part=st.sampled_from(PARTS),
    given=st.dictionaries(
        st.sampled_from(
            [
                "attention_head_dim",
                "num_attention_heads",
                "norm_num_groups",
                "hidden_act",
            ]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers(-3, 70) | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text(), inner, max_size=2)
            ),
        ),
        min_size=1,
    ),
)
def test_settings_that_make_no_sense_are_met_or_refused(
    folder: Path, part: str, given: dict[str, Any]
) -> None:
    (folder / part / "config.json").write_text(json.dumps(given))
    try:
        load_or_refuse(folder)
    finally:
        (folder / part / "config.json").unlink()
