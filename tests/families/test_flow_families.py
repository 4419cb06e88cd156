"""Families of flow transformers beside diffusers' pipelines, from each kind of file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional as F

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.family import DENOISER
from imaginairy.models.checkpoint import read_checkpoint
from imaginairy.models.inspection import inspected
from imaginairy.models.loading import opened
from imaginairy.sources.checksum import checksum
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import HubFile, ModelRow, Packing, Packings
from imaginairy.weights.gguf_writing import Laid, write_gguf
from imaginairy.weights.packed import Packed
from imaginairy.weights.packing import to_q8_0
from tests.published.test_qwen3 import as_llama_cpp as qwens_gguf
from tests.published.test_t5 import as_llama_cpp as t5s_gguf
from tests.published.test_zimage import its_authors as zimages_authors
from tests.support import tiny_flow
from tests.support.beside_diffusers import Last
from tests.support.flow_names import its_authors
from tests.support.golden import assert_close
from tests.support.hub_client import Client
from tests.support.hub_server import HubServer, Repo
from tests.support.renamed import Named

pytestmark = pytest.mark.filterwarnings(
    "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)
FOX, BOWL = "a red fox", "a bowl of fruit, and a painting of a red fox in the snow"
SIZE, STEPS = (96, 64), 4
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Kind:
    """One family, as diffusers draws with it."""

    build: Callable[..., Any]
    family: str
    renamed: Callable[[Named], Named] = its_authors
    parts: tuple[str, ...] = ("vae", "text_encoder")
    options: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)
    channels: int = 16
    usual: tuple[int, float] = (4, 1.0)
    """Steps and guidance."""


KINDS = {
    "Z-Image": Kind(
        tiny_flow.zimage, "z-image", zimages_authors,
        theirs={"guidance_scale": 0.0}, usual=(8, 1.0),
    ),
    "Flux.1 schnell": Kind(
        tiny_flow.flux1, "flux1", parts=("vae", "text_encoder", "text_encoder_2"),
        theirs={"guidance_scale": 0.0, "max_sequence_length": 256},
    ),
    "Flux.1 dev": Kind(
        tiny_flow.flux1, "flux1", parts=("vae", "text_encoder", "text_encoder_2"),
        options={"dev": True}, ours={"prompt_strength": 3.5}, usual=(28, 3.5),
    ),
    "Flux.2": Kind(tiny_flow.flux2, "flux2", channels=32),
    "Chroma": Kind(
        tiny_flow.chroma, "chroma", ours={"prompt_strength": 3.0},
        theirs={"guidance_scale": 3.0}, usual=(26, 4.0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """One of them, where it lies."""

    kind: Kind
    pipeline: Any
    folder: Path
    file: Path
    """The transformer alone, beside the others."""


@pytest.fixture(scope="module", params=KINDS)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Model:
    kind = KINDS[request.param]
    pipeline = tiny_flow.built(kind.build, **kind.options)
    where = tmp_path_factory.mktemp("flow")
    pipeline.save_pretrained(where / "folder")
    split = where / "split"
    tiny_flow.save_split(
        split,
        {
            "transformer": kind.renamed(pipeline.transformer.state_dict()),
            **{name: getattr(pipeline, name).state_dict() for name in kind.parts},
        },
    )
    for name in ("tokenizer", "tokenizer_2"):
        if words := getattr(pipeline, name, None):
            words.save_pretrained(split / name)
    file = split / "transformer.safetensors"
    return Model(kind, pipeline, where / "folder", file)


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    with torch.inference_mode():
        yield ModelStore("cpu")


def prompt(path: Path, kind: Kind, text: str = FOX, **more: Any) -> ImaginePrompt:
    usual = {"seed": 1, "width": SIZE[0], "height": SIZE[1], "steps": STEPS}
    return ImaginePrompt(text, model=str(path), **{**usual, **kind.ours, **more})


def drawn(store: ModelStore, *prompts: ImaginePrompt) -> tuple[list[Any], list[Any]]:
    watch = Last()
    results = list(imagine(prompts, store=store, observer=watch))
    return results, [watch.latents[number] for number in sorted(watch.latents)]


def wanted(model: Model, text: str, **more: Any) -> Image.Image:
    """Return what diffusers draws of the noise of seed 1."""
    chance = torch.Generator().manual_seed(1)
    height, width = SIZE[1] // 8, SIZE[0] // 8
    noise = torch.randn((1, model.kind.channels, height, width), generator=chance)
    if model.kind.family != "z-image":
        noise = F.pixel_unshuffle(noise, 2)
    if model.kind.family in ("flux1", "chroma"):
        noise = noise.flatten(2).transpose(1, 2)
    usual: dict[str, Any] = {
        "width": SIZE[0], "height": SIZE[1], "num_inference_steps": STEPS,
        "sigmas": [1 - k / STEPS for k in range(STEPS)],
    }  # fmt: skip
    with torch.inference_mode():
        asked = {**usual, **model.kind.theirs, **more}
        [picture] = model.pipeline(prompt=text, latents=noise, **asked).images
    return picture


def assert_same(ours: Image.Image, theirs: Image.Image) -> None:
    one, other = (np.asarray(each, np.float32) for each in (ours, theirs))
    assert other.std() > 5, "there is something to see"
    assert np.abs(one - other).max() <= 1


def test_pictures_are_theirs_from_folders_and_from_files_beside_each_other(
    store: ModelStore, model: Model
) -> None:
    theirs = wanted(model, FOX)
    [of_folder], [latents] = drawn(store, prompt(model.folder, model.kind))
    [of_files], [others] = drawn(store, prompt(model.file, model.kind))
    assert_close(others, latents, 1e-5)
    for result in (of_folder, of_files):
        assert_same(result.img, theirs)


def test_parts_of_a_packing_lie_in_repositories(model: Model, tmp_path: Path) -> None:
    """No part is beside another in the cache of the hub."""
    split = model.file.parent
    repos = {
        f"some/{name}": Repo({f"{name}.safetensors": content})
        for name in ("transformer", *model.kind.parts)
        for content in [(split / f"{name}.safetensors").read_bytes()]
    }
    lies = tuple(HubFile(repo, next(iter(held.files))) for repo, held in repos.items())
    packing = Packings((Packing("bf16", lies),))
    row = ModelRow(DRAWS, "x", "x", packing, "MIT", family=model.kind.family)
    with HubServer(repos) as hub, Client(tmp_path, hub.url).here():
        checkpoint = opened(row)
        assert len(hub.downloads()) == len(lies)
    assert {*checkpoint.parts} == {part.role for part in checkpoint.family.parts}
    held = {file.stem for file in checkpoint.weight_files}
    assert held == {"transformer", *model.kind.parts}
    file, *others = checkpoint.weight_files
    found = inspected(file, others)
    assert found.usable and [*found.parts] == ["transformer"]
    assert all(each.startswith("The vocabulary of ") for each in found.missing)


def test_a_licence_that_limits_its_use_is_said_once(
    model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with torch.inference_mode():
            ModelStore("cpu").get(str(model.file))
    said = [line for line in caplog.messages if "licen" in line.lower()]
    if "dev" not in model.kind.options:
        assert said == []
        return
    (line,) = said
    assert line.startswith(f"{model.file} is a Flux.1 [dev], or made of one: the FLUX")
    assert "Non-Commercial License" in line and line.endswith("This is said once.")


def test_prompts_of_any_length_share_a_batch(store: ModelStore, model: Model) -> None:
    asked = [prompt(model.folder, model.kind, text) for text in (FOX, BOWL)]
    several, _ = drawn(store, *asked)
    assert_same(several[1].img, wanted(model, BOWL))
    assert_same(several[0].img, wanted(model, FOX))


def test_parts_that_are_packed_draw_about_the_same(
    store: ModelStore, model: Model, tmp_path: Path
) -> None:
    """GGUFs of 8 bits, in place of the files among the others; turns they keep whole.

    Those of text encoders have llama.cpp's names, and words that are packed too.
    """
    packed = tmp_path / "packed"
    packed.mkdir()
    reader = model.kind.parts[-1]
    for each in model.file.parent.iterdir():
        if each.stem not in ("transformer", reader):
            (packed / each.name).symlink_to(each)
    file = packed / "transformer.gguf"
    is_qwen = model.kind.family in ("z-image", "flux2")
    for stem, renamed in (
        ("transformer", dict), (reader, qwens_gguf if is_qwen else t5s_gguf),
    ):  # fmt: skip
        tensors = renamed(load_file(model.file.with_stem(stem)))
        write_gguf(packed / f"{stem}.gguf", [laid(*x) for x in tensors.items()], {})
    [[whole], [other]] = (
        drawn(store, prompt(p, model.kind))[0] for p in (model.file, file)
    )
    one, two = (np.asarray(each.img, np.float32) for each in (whole, other))
    assert 0 < np.abs(one - two).mean() < 8
    parts = read_checkpoint(file).parts
    for part in (parts[DENOISER], list(parts.values())[-1]):
        assert {*part.tensors.packed.values()} == {"Q8_0"}, "as memory is counted"
    assert any(
        isinstance(each, Packed)
        for each in store.get(str(file)).diffusion.network.parameters()
    )


def laid(name: str, tensor: torch.Tensor) -> Laid:
    """Pack the matrices that blocks of 32 fill."""
    if tensor.ndim == 2 and tensor.shape[1] % 32 == 0 and "pad_token" not in name:
        return Laid(name, tuple(tensor.shape), "Q8_0", lambda: to_q8_0(tensor))
    return Laid.of(name, tensor)


def test_what_to_avoid_is_theirs(store: ModelStore, model: Model) -> None:
    if model.kind.family not in ("z-image", "chroma"):
        return  # they are drawn without
    ours = prompt(
        model.folder, model.kind, BOWL, prompt_strength=3, negative_prompt="snow"
    )
    [result], _ = drawn(store, ours)
    scale = 2.0 if model.kind.family == "z-image" else 3.0
    theirs = wanted(model, BOWL, guidance_scale=scale, negative_prompt="snow")
    assert_same(result.img, theirs)


def test_parts_from_anywhere_draw_as_they_do_together(
    store: ModelStore, model: Model, tmp_path: Path
) -> None:
    """Each lies in a folder of its own and is given, text encoders in any order."""
    alone = tmp_path / "alone" / model.file.name
    alone.parent.mkdir()
    copy(model.file, alone)
    with pytest.raises(CheckpointError, match=r"no (T5 )?text encoder; give files"):
        read_checkpoint(alone)
    vae, *texts = (model.file.with_name(f"{x}.safetensors") for x in model.kind.parts)
    given = [str(text) for text in reversed(texts)]
    beside = {"vae": str(vae), "text_encoders": given}
    [result], latents = drawn(store, prompt(alone, model.kind, **beside))
    _, wanted = drawn(store, prompt(model.folder, model.kind))
    assert_close(latents[0], wanted[0], 1e-5)
    said = result.metadata_dict()
    assert said["text_encoders"] == given
    sums = {each: checksum([Path(each)]) for each in given}
    assert said["text_encoder_sha256"] == sums
    assert said["model_sha256"] == checksum([alone])


def test_tiles_are_refused(store: ModelStore, model: Model) -> None:
    with pytest.raises(BadOptionError, match="draws no tiles; leave tile_mode out"):
        drawn(store, prompt(model.folder, model.kind, tile_mode="x"))


def test_how_it_is_usually_drawn_with_is_known(model: Model) -> None:
    for path in (model.folder, model.file):
        row = ModelStore("cpu").locate(str(path))
        assert (row.family, row.defaults.width) == (model.kind.family, 1024)
        usual = row.defaults.steps, row.defaults.prompt_strength
        assert usual == model.kind.usual
