"""Flow models written: in both layouts, whole, alone and packed; read by others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.adapters.names import Like
from imaginairy.conversion.convert import convert
from imaginairy.conversion.extract import Wanted, extract
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.family import DENOISER
from imaginairy.learning.fresh import fresh_tensors
from imaginairy.lora import parse_lora
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.weights.weightfile import open_weights
from tests.published.test_zimage import its_authors as zimages_authors
from tests.support import tiny_flow
from tests.support.beside_diffusers import Last
from tests.support.flow_names import its_authors
from tests.support.golden import relative_error
from tests.support.renamed import Named

pytestmark = pytest.mark.filterwarnings(
    "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)
Kind = tuple[Any, Callable[[Named], Named], str, str]
KINDS: dict[str, Kind] = {
    "Z-Image": (tiny_flow.zimage, zimages_authors, "q4_k", "lumina2"),
    "Flux.1": (tiny_flow.flux1, its_authors, "fp8", ""),
    "Flux.1 Fill": (
        partial(tiny_flow.flux1, dev=True, kind=diffusers.FluxFillPipeline, seen=384),
        its_authors, "q8_0", "flux",
    ),
    "Flux.2": (tiny_flow.flux2, its_authors, "q8_0", "flux"),
    "Chroma": (tiny_flow.chroma, its_authors, "q4_k", "flux"),
}  # fmt: skip
"""How each is built, named and packed here, and what GGUF files call its design."""
ERRORS = {"q8_0": 0.012, "q4_k": 0.08, "fp8": 0.06}
"""How far latents are off at most, one with another: twice what was measured."""


@dataclass(frozen=True)
class Model:
    """One of them, as diffusers saved it."""

    pipeline: Any
    named: Named
    """Its transformer as its authors call it."""
    folder: Path
    pack: str
    design: str


@pytest.fixture(scope="module", params=KINDS)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Model:
    build, renamed, pack, design = KINDS[request.param]
    pipeline = tiny_flow.built(build)
    folder = tmp_path_factory.mktemp("flow") / "folder"
    pipeline.save_pretrained(folder)
    named = renamed(pipeline.transformer.state_dict())
    return Model(pipeline, named, folder, pack, design)


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    with torch.inference_mode():
        yield ModelStore("cpu")


def drawn(store: ModelStore, path: Path, **beside: Any) -> Tensor:
    """Return the latents of a fox."""
    watch = Last()
    usual = {"seed": 1, "width": 64, "height": 64, "steps": 1, "model": str(path)}
    prompt = ImaginePrompt("a red fox", **usual, **beside)
    list(imagine([prompt], store=store, observer=watch))
    return watch.latents[0]


def written(model: Path, out: Path, *, folder: bool = False, **options: Any) -> Path:
    done = convert(str(model), f"{out}/" if folder else str(out), **options)
    assert done.path == out
    return out


def test_a_file_and_a_folder_are_made_of_each_other(
    store: ModelStore, model: Model, tmp_path: Path
) -> None:
    whole = written(model.folder, tmp_path / "whole.safetensors")
    back = written(whole, tmp_path / "back", folder=True)
    wanted = drawn(store, model.folder)
    for path in (whole, back):
        assert torch.equal(drawn(store, path), wanted)
    theirs = type(model.pipeline).from_pretrained(back)
    for name in ("transformer", "vae", "text_encoder", "text_encoder_2"):
        if one := getattr(model.pipeline, name, None):
            two = getattr(theirs, name)
            assert type(two) is type(one)
            tensors = two.state_dict()
            for key, tensor in one.state_dict().items():
                assert key == "lm_head.weight" or tensors[key].equal(tensor), key
    assert theirs.tokenizer("a red fox") == model.pipeline.tokenizer("a red fox")


def test_a_transformer_alone_has_the_names_of_its_authors_and_is_packed(
    store: ModelStore, model: Model, tmp_path: Path
) -> None:
    alone = written(model.folder, tmp_path / "alone.safetensors", alone=True)
    tensors = load_file(alone)
    assert {*tensors} == {*model.named}
    assert all(tensors[name].equal(each) for name, each in model.named.items())
    home = str(model.folder)
    beside = {"text_encoders": [home], "vae": home}
    wanted = drawn(store, model.folder)
    assert torch.equal(drawn(store, alone, **beside), wanted)
    options = {"pack": model.pack, "alone": model.pack == "fp8"}
    ending = "safetensors" if model.pack == "fp8" else "gguf"
    packed = written(alone, tmp_path / f"packed.{ending}", **options)
    assert packed.stat().st_size < alone.stat().st_size / 2
    latents = drawn(store, packed, **beside)
    assert 0 < relative_error(latents, wanted) < ERRORS[model.pack]
    said = open_weights(packed).metadata
    assert said.get("general.architecture", "") == model.design
    again = written(packed, tmp_path / "again", folder=True, precision="bf16", **beside)
    says = diffusers.DiffusionPipeline.load_config(again)
    assert says["_class_name"] == type(model.pipeline).__name__
    assert read_checkpoint(again).parts[DENOISER].config == (
        read_checkpoint(model.folder).parts[DENOISER].config
    )


@pytest.mark.parametrize("model", ["Flux.1"], indirect=True)
def test_a_lora_is_merged_into_what_others_lay_together(
    model: Model, tmp_path: Path
) -> None:
    chance, width = torch.Generator().manual_seed(3), 64
    down, up = (torch.randn(s, generator=chance) for s in ((4, width), (width, 4)))
    layer = "transformer.transformer_blocks.0.attn.to_k.lora_{}.weight"
    lora = tmp_path / "lora.safetensors"
    save_file({layer.format("A"): down, layer.format("B"): up}, lora)
    merged = [parse_lora(f"{lora}=0.5")]
    out = written(model.folder, tmp_path / "x.safetensors", alone=True, loras=merged)
    fused = "double_blocks.0.img_attn.qkv.weight"
    tensors, before = load_file(out), model.named[fused]
    wanted = torch.cat([0 * up @ down, 0.5 * up @ down, 0 * up @ down])
    torch.testing.assert_close(tensors[fused] - before, wanted, atol=1e-5, rtol=1e-5)
    others = {*tensors} - {fused}
    assert all(tensors[name].equal(model.named[name]) for name in others)


def test_a_lora_is_extracted_from_what_it_made(
    store: ModelStore, model: Model, tmp_path: Path
) -> None:
    lora, plain = tmp_path / "lora.safetensors", drawn(store, model.folder)
    fresh = fresh_tensors("lora", store.get(str(model.folder)).diffusion, rank=2)
    torch.manual_seed(3)
    for name, tensor in fresh.items():
        if name.endswith("lora_up.weight"):
            fresh[name] = torch.randn_like(tensor)
    save_file(fresh, lora)
    merged = written(
        model.folder, tmp_path / "merged", folder=True, loras=[parse_lora(str(lora))]
    )
    wanted = drawn(store, merged)
    assert relative_error(wanted, plain) > 0.01
    likes: tuple[Like, ...] = ("kohya", "peft")
    for like in likes:
        out = tmp_path / f"{like}.safetensors"
        extract(str(model.folder), str(merged), str(out), Wanted(rank=2, like=like))
        for each in (lora, out):
            ours = drawn(store, model.folder, loras=[str(each)])
            assert relative_error(ours, wanted) < 0.005


@pytest.mark.parametrize("model", ["Z-Image"], indirect=True)
def test_what_nobody_writes_is_refused(model: Model, tmp_path: Path) -> None:
    home, lone = str(model.folder), str(tmp_path / "alone.safetensors")
    convert(home, lone, alone=True)
    for out, options, sentence in (
        ("x/", {"alone": True}, "A network alone goes into a file, and '.*x/' will"),
        ("x.gguf", {"pack": "q8_0", "vae": home}, "no VAE; leave --vae out"),
        ("x.safetensors", {"alone": True, "text_encoders": [home]},
         "no text encoder; leave --text-encoder out, and give it where you draw"),
        ("x/", {"pack": "fp8"}, "into a file that ends in .safetensors"),
    ):  # fmt: skip
        with pytest.raises(BadOptionError, match=sentence):
            convert(home, f"{tmp_path}/{out}", **options)
    with pytest.raises(CheckpointError, match="give files that hold these, as --text-"):
        convert(lone, f"{tmp_path}/x/")
