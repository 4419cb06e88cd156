"""Whole pictures against the reference: a checkpoint file in, latents and pixels out.

The model's weights are random, and it is no denoiser: what it draws is noise, of which
every number counts.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.device import SeededNoise
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.store import ModelStore
from imaginairy.networks.layers import tiling
from imaginairy.pixels import tensor_to_image
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.denoiser import NetworkDenoiser, guided
from imaginairy.samplers.discrete import NoiseSchedule
from imaginairy.samplers.table import Sampler
from tests.support.golden import CPU, assert_close, drawn, goldens, tensor_shapes
from tests.support.pickles import lightning, save
from tests.support.tiny import tiny_tokenizer

SHAPE = (1, 4, 8, 8)
STRENGTH = 7.5
TOLERANCE = 1e-4
"""Of the largest number of the latents; measured are 8e-6."""
PIXEL_TOLERANCE = 2


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return goldens("pipeline")


@pytest.fixture(scope="module", params=["safetensors", "ckpt"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DrawingModel:
    """Load the model as a user does, by the path of its file."""
    file = tmp_path_factory.mktemp("mini") / f"model.{request.param}"
    tensors = drawn(tensor_shapes("mini"), "ckpt/") | text_encoder()
    tensors["betas"] = NoiseSchedule().betas
    if request.param == "ckpt":
        save(lightning(tensors), file)
    else:
        save_file(tensors, file)
    tiny_tokenizer().save_pretrained(file.parent)
    return ModelStore("cpu").get(str(file)).diffusion


def text_encoder() -> dict[str, Tensor]:
    """Make one that fits, though the embeddings are given and it is never asked."""
    width, prefix = 64, "cond_stage_model.transformer.text_model."
    layer = f"{prefix}encoder.layers.0."
    shapes: dict[str, tuple[int, ...]] = {
        f"{prefix}embeddings.token_embedding.weight": (len(tiny_tokenizer()), width),
        f"{prefix}embeddings.position_embedding.weight": (77, width),
        f"{layer}mlp.fc1.weight": (4 * width, width),
        f"{layer}mlp.fc1.bias": (4 * width,),
        f"{layer}mlp.fc2.weight": (width, 4 * width),
        f"{layer}mlp.fc2.bias": (width,),
    }
    for part in ("q", "k", "v", "out"):
        shapes[f"{layer}self_attn.{part}_proj.weight"] = (width, width)
        shapes[f"{layer}self_attn.{part}_proj.bias"] = (width,)
    for norm in (f"{layer}layer_norm1", f"{layer}layer_norm2"):
        shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    norm = f"{prefix}final_layer_norm"
    shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    return drawn(shapes)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def ignore_step(index: int, latents: Tensor, denoised: Tensor) -> None:
    """Watch nothing."""


def walk(
    model: DrawingModel,
    golden: dict[str, Tensor],
    row: Sampler,
    levels: list[float],
    start: Tensor,
    noise: SeededNoise,
) -> Tensor:
    follow, avoid = (Conditioning(golden[name]) for name in ("cond", "uncond"))
    told = NetworkDenoiser(model.network, model.schedule, "noise", follow)
    return row.sample(
        guided(told, avoid, STRENGTH),
        start,
        levels,
        draw_noise=noise,
        on_step=ignore_step,
    )


def draw(
    model: DrawingModel, golden: dict[str, Tensor], name: str, steps: int
) -> Tensor:
    """Draw the latents of seed 1 from nothing but noise."""
    row, noise = SAMPLERS[name], SeededNoise(1, SHAPE, CPU)
    levels = row.levels(model.schedule, steps)
    start = row.start(model.schedule, noise(), levels[0])
    return walk(model, golden, row, levels, start, noise)


def assert_picture(latents: Tensor, model: DrawingModel, theirs: Tensor) -> None:
    ours = np.asarray(tensor_to_image(model.decode(latents)[0]), dtype=int)
    worst = np.abs(ours - theirs.numpy()).max()
    assert worst <= PIXEL_TOLERANCE, f"a pixel is off by {worst} of 255"


def test_a_seed_s_first_noise_is_the_reference_s(golden: dict[str, Tensor]) -> None:
    assert torch.equal(SeededNoise(1, SHAPE, CPU)(), golden["initial_noise"])


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("plms", 10),
        ("ddim", 10),
        ("k_lms", 10),
        ("k_euler", 10),
        ("k_euler_a", 10),
        ("k_heun", 5),
    ],
)
def test_a_picture_from_noise(
    model: DrawingModel, golden: dict[str, Tensor], name: str, steps: int
) -> None:
    """By every sampler that is still defined as in the reference.

    Its k-diffusion blended the table's sigmas in another way, which makes no difference
    here: with so many steps they are in the table, or come out alike within 1e-5.
    """
    latents = draw(model, golden, name, steps)
    assert_close(latents, golden[f"txt2img.{name}.latent"], TOLERANCE)
    assert_picture(latents, model, golden[f"txt2img.{name}.image_uint8"])


@pytest.mark.parametrize("name", ["plms", "ddim"])
def test_a_picture_from_a_picture(
    model: DrawingModel, golden: dict[str, Tensor], name: str
) -> None:
    """The seed's first noise draws from the encoder, the second starts the walk."""
    row, noise = SAMPLERS[name], SeededNoise(2, SHAPE, CPU)
    init = model.encode(golden["init_image"], noise())
    assert_close(init, golden["init_latent"])
    last = int(golden[f"img2img.{name}.t_enc"])
    levels = row.levels(model.schedule, 10, last=last)
    second = noise()
    assert torch.equal(second, golden["encode_noise"])
    start = row.start(model.schedule, second, levels[0], init)
    seen = start * model.schedule.scale(levels[0])
    assert_close(seen, golden[f"img2img.{name}.z_enc"])
    latents = walk(model, golden, row, levels, start, noise)
    assert_close(latents, golden[f"img2img.{name}.latent"], TOLERANCE)
    assert_picture(latents, model, golden[f"img2img.{name}.image_uint8"])


def test_a_tile(model: DrawingModel, golden: dict[str, Tensor]) -> None:
    with tiling(model.network, model.autoencoder, x=True, y=True):
        latents = draw(model, golden, "plms", 10)
        picture = model.decode(latents)
    assert_close(latents, golden["tile.latent"], TOLERANCE)
    assert_close(picture, golden["tile.decoded"], TOLERANCE)
