"""Flux.1 [Kontext], which is shown reference images, and [Fill], which sees a mask."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxFillPipeline, FluxKontextPipeline
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.conversion.convert import convert
from imaginairy.errors import BadOptionError
from imaginairy.models.inspection import inspected
from tests.families.test_references import HOUSE, SKY
from tests.support import tiny_flow
from tests.support.beside_diffusers import Last
from tests.support.flow_names import its_authors
from tests.support.golden import assert_close

pytestmark = pytest.mark.filterwarnings(
    "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)
FOX = "a red fox"
STEPS = 2
TOLERANCE = 1e-4
GUIDANCE = 3.0
"""Less than is usual for [Fill]: of 1000 times 30 a sine in float32 is no exact one."""
AS_IT_IS = {"_auto_resize": False, "max_area": HOUSE.width * HOUSE.height}
"""Lets theirs take a reference image in its own size."""
PAINTED = (19, 0, 80, 64)
"""What is painted: its edge lies between two places of latents."""
FAR = 6
"""Where it begins, in latents, that nothing of what stays reaches as it is resized."""


@pytest.fixture(scope="module")
def store() -> Iterator[ModelStore]:
    with torch.inference_mode():
        yield ModelStore("cpu")


def saved(pipeline: Any, folder: Path, name: str) -> tuple[Path, Path]:
    """Return a folder, and the transformer alone beside the files of its parts."""
    pipeline.save_pretrained(folder / "folder")
    parts = ("vae", "text_encoder", "text_encoder_2")
    split = {each: getattr(pipeline, each).state_dict() for each in parts}
    weights = its_authors(pipeline.transformer.state_dict())
    tiny_flow.save_split(folder / "split", {name: weights, **split})
    for words in ("tokenizer", "tokenizer_2"):
        getattr(pipeline, words).save_pretrained(folder / "split" / words)
    return folder / "folder", folder / "split" / f"{name}.safetensors"


def noise_of(size: tuple[int, int], drawn: int) -> Tensor:
    """Return the noise of seed 1.

    Args:
        drawn: how often noise was drawn before.
    """
    chance = torch.Generator().manual_seed(1)
    shape = drawn + 1, 16, size[1] // 8, size[0] // 8
    return behind(torch.randn(shape, generator=chance)[drawn:])


def behind(latents: Tensor) -> Tensor:
    """Return latents as theirs takes them: patches behind each other."""
    return F.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)


def wanted(pipeline: Any, steps: int, *, drawn: int = 0, **more: Any) -> Tensor:
    """Return the latents that theirs draws, (1, 16, h, w), as large as HOUSE."""
    size = HOUSE.size
    with torch.inference_mode():
        patches: Tensor = pipeline(
            prompt=FOX, latents=noise_of(size, drawn), output_type="latent",
            num_inference_steps=steps, width=size[0], height=size[1],
            sigmas=[1 - k / steps for k in range(steps)], **more,
        ).images  # fmt: skip
    rows = size[1] // 16
    return F.pixel_shuffle(patches.transpose(1, 2).unflatten(2, (rows, -1)), 2)


def drawn(store: ModelStore, model: Path, steps: int, **more: Any) -> Tensor:
    """Return the latents that ours draws."""
    watch = Last()
    prompt = ImaginePrompt(FOX, seed=1, steps=steps, model=str(model), **more)
    [_] = imagine(prompt, store=store, observer=watch)
    [latents] = watch.latents.values()
    return latents


@pytest.fixture(scope="module")
def kontext() -> Any:
    """Theirs, which looks closely at what it is shown."""
    kind = FluxKontextPipeline
    pipeline = tiny_flow.built(tiny_flow.flux1, dev=True, kind=kind)
    tiny_flow.sharpened(pipeline)
    return pipeline


def test_kontext_is_shown_reference_images(
    store: ModelStore, kontext: Any, tmp_path: Path
) -> None:
    folder, file = saved(kontext, tmp_path, "flux1-dev-kontext_fp8")
    theirs = wanted(kontext, STEPS, image=HOUSE, guidance_scale=2.5, **AS_IT_IS)
    for path in (folder, file):
        ours = drawn(store, path, STEPS, reference_images=[HOUSE])
        assert_close(ours, theirs, TOLERANCE)
        other = drawn(store, path, STEPS, reference_images=[SKY])
        assert (other - theirs).abs().max() > 100 * TOLERANCE
        usual = store.locate(str(path)).defaults
        assert (usual.steps, usual.prompt_strength) == (28, 2.5)
    other = drawn(store, folder, STEPS, reference_images=[HOUSE, SKY])
    assert (other - theirs).abs().max() > 100 * TOLERANCE, "the second has a say"


def test_what_does_not_say_that_it_is_kontext_is_shown_none(
    store: ModelStore, kontext: Any, tmp_path: Path
) -> None:
    _, file = saved(kontext, tmp_path, "mine")
    words = (
        r"of Flux\.1 and looks at no reference_images, as a Flux\.1 \[Kontext\] and "
    )
    words += r"models of Flux\.2 do; if it is one, let its name say so; leave them out"
    with pytest.raises(BadOptionError, match=words):
        drawn(store, file, STEPS, reference_images=[HOUSE])


def test_what_is_converted_says_that_it_is_kontext(
    store: ModelStore, kontext: Any, tmp_path: Path
) -> None:
    folder, _ = saved(kontext, tmp_path, "mine")
    file, packed, again = (tmp_path / x for x in ("a.safetensors", "a.gguf", "again"))
    convert(str(folder), str(file))
    convert(str(folder), str(packed), pack="q8_0", alone=True)
    convert(str(file), f"{again}/")
    index = json.loads((again / "model_index.json").read_text())
    assert index["_class_name"] == "FluxKontextPipeline"
    ours = drawn(store, folder, STEPS, reference_images=[HOUSE])
    for path in (file, again):
        same = drawn(store, path, STEPS, reference_images=[HOUSE])
        assert_close(same, ours, TOLERANCE)
    assert store.locate(str(packed)).refers


@pytest.fixture(scope="module")
def fill() -> Any:
    """Theirs draws by chance what its encoder is not sure of; this one is sure."""
    build, kind = tiny_flow.flux1, FluxFillPipeline
    pipeline = tiny_flow.built(build, dev=True, kind=kind, seen=384)
    with torch.no_grad():
        pipeline.vae.encoder.conv_out.weight[16:].zero_()
        pipeline.vae.encoder.conv_out.bias[16:].fill_(-30)
    encode = pipeline.vae.encode  # its norms lose all digits of grey, channels last
    pipeline.vae.encode = lambda pictures: encode(pictures.contiguous())
    return pipeline


def test_fill_sees_which_pixels_are_painted(
    store: ModelStore, fill: Any, tmp_path: Path
) -> None:
    """It is told by what it takes, and the first step is theirs wherever it paints."""
    mask = Image.new("L", HOUSE.size)
    mask.paste(255, PAINTED)
    theirs = wanted(
        fill, 1, drawn=1, guidance_scale=GUIDANCE, image=HOUSE, mask_image=mask
    )
    picture = {
        "init_image": HOUSE,
        "init_image_strength": 0,
        "prompt_strength": GUIDANCE,
    }
    for path in saved(fill, tmp_path, "mine"):
        ours = drawn(store, path, 1, mask_image=mask, **picture)
        assert_close(ours[..., FAR:], theirs[..., FAR:], TOLERANCE)
        usual = store.locate(str(path)).defaults
        assert (usual.steps, usual.prompt_strength) == (50, 30.0)
        assert "for inpainting" in inspected(path).what


def test_fill_paints_all_where_there_is_no_mask(
    store: ModelStore, fill: Any, tmp_path: Path
) -> None:
    folder, _ = saved(fill, tmp_path, "fill")
    everything = Image.new("L", HOUSE.size, 255)
    asked = {"guidance_scale": GUIDANCE, "image": HOUSE, "mask_image": everything}
    theirs = wanted(fill, STEPS, **asked)
    ours = {"width": HOUSE.width, "height": HOUSE.height, "prompt_strength": GUIDANCE}
    assert_close(drawn(store, folder, STEPS, **ours), theirs, TOLERANCE)
