"""UNet, autoencoder and text transformer, loaded from files, against the reference.

Measured differences are below 2e-6 of the largest value.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.networks.autoencoder import Autoencoder, sample_latents
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.config import AutoencoderConfig, ClipTextConfig, UNetConfig
from imaginairy.networks.layers import sinusoid, tiling
from imaginairy.networks.unet import UNet
from tests.support.golden import (
    CPU,
    TEXT_HEADS,
    assert_close,
    drawn,
    goldens,
    tensor_shapes,
)

TOLERANCE = 2e-5
CHANNELS = (32, 64, 128, 128)
TEXT_PREFIX = "cond_stage_model.transformer."


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return goldens("networks")


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return drawn(tensor_shapes("reduced"))


@pytest.fixture(scope="module")
def checkpoint(
    weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    file = tmp_path_factory.mktemp("reduced") / "model.safetensors"
    save_file(weights, file)
    return read_checkpoint(file)


@pytest.fixture(scope="module")
def unet(checkpoint: Checkpoint) -> UNet:
    return cast(UNet, checkpoint.parts["denoiser"].load(CPU, torch.float32))


@pytest.fixture(scope="module")
def autoencoder(checkpoint: Checkpoint) -> Autoencoder:
    return cast(Autoencoder, checkpoint.parts["autoencoder"].load(CPU, torch.float32))


@pytest.fixture(scope="module")
def inpainting(
    weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> UNet:
    """Return a UNet that also takes a mask and the masked picture."""
    file = tmp_path_factory.mktemp("reduced") / "inpainting.safetensors"
    save_file(weights | drawn(tensor_shapes("reduced inpainting"), "inpaint9/"), file)
    unet = read_checkpoint(file).parts["denoiser"].load(CPU, torch.float32)
    return cast(UNet, unet)


@pytest.fixture(scope="module")
def text(
    weights: dict[str, Tensor],
    tiny_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> ClipText:
    """Return the text transformer, from a folder that tells the number of heads."""
    folder = tmp_path_factory.mktemp("reduced") / "folder"
    (folder / "text_encoder").mkdir(parents=True)
    for part in ("unet", "vae"):
        (folder / part).symlink_to(tiny_folder / part)
    own = {
        name.removeprefix(TEXT_PREFIX): tensor
        for name, tensor in weights.items()
        if name.startswith(TEXT_PREFIX)
    }
    save_file(own, folder / "text_encoder" / "model.safetensors")
    settings = {"num_attention_heads": TEXT_HEADS}
    (folder / "text_encoder" / "config.json").write_text(json.dumps(settings))
    text = read_checkpoint(folder).parts["text"].load(CPU, torch.float32)
    return cast(ClipText, text)


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    with torch.inference_mode():
        yield


def at(timestep: float, latents: Tensor) -> Tensor:
    return torch.full((len(latents),), timestep)


def test_sizes_are_read_off_the_tensors(checkpoint: Checkpoint, text: ClipText) -> None:
    assert checkpoint.parts["denoiser"].config == UNetConfig(
        channels=CHANNELS, context_dim=64
    )
    assert checkpoint.parts["autoencoder"].config == AutoencoderConfig(
        channels=CHANNELS
    )
    assert text.config == ClipTextConfig(
        width=64, layers=2, heads=TEXT_HEADS, mlp_width=256
    )


@pytest.mark.parametrize("timestep", ["1", "981", "500.5"])
def test_unet_predicts_as_the_reference(
    unet: UNet, golden: dict[str, Tensor], timestep: str
) -> None:
    latents, context = golden["unet.x"], golden["unet.context"]
    ours = unet(latents, at(float(timestep), latents), Conditioning(context))
    assert_close(ours, golden[f"unet.out.t{timestep}"], TOLERANCE)


def test_unet_takes_a_timestep_for_each_picture_of_a_batch(
    unet: UNet, golden: dict[str, Tensor]
) -> None:
    timesteps = torch.tensor([981, 1])
    ours = unet(golden["unet.x"], timesteps, Conditioning(golden["unet.context"]))
    assert_close(ours, golden["unet.out.t_mixed"], TOLERANCE)


def test_unet_predicts_oblong_pictures(unet: UNet, golden: dict[str, Tensor]) -> None:
    latents = golden["unet.x_nonsquare"]
    ours = unet(latents, at(981, latents), Conditioning(golden["unet.context"][:1]))
    assert_close(ours, golden["unet.out_nonsquare.t981"], TOLERANCE)


def test_unet_predicts_tiles(unet: UNet, golden: dict[str, Tensor]) -> None:
    latents = golden["unet.x"]
    with tiling(unet, x=True, y=True):
        ours = unet(latents, at(981, latents), Conditioning(golden["unet.context"]))
    assert_close(ours, golden["unet.out_tiled.t981"], TOLERANCE)


def test_each_block_of_the_unet_puts_out_what_the_reference_s_does(
    unet: UNet, golden: dict[str, Tensor]
) -> None:
    """Compare mean and deviation, block by block, so that a fault shows its place."""
    blocks = named_blocks(unet)
    seen: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
            seen[name] = torch.stack([output.mean(), output.std()])

        return keep

    handles = [
        block.register_forward_hook(hook(name)) for name, block in blocks.items()
    ]
    latents = golden["unet.x"][:1]
    unet(latents, at(981, latents), Conditioning(golden["unet.context"][:1]))
    for handle in handles:
        handle.remove()
    assert len(blocks) == len(golden["unet.taps"])
    for name, theirs in zip(blocks, golden["unet.taps"], strict=True):
        torch.testing.assert_close(
            seen[name], theirs, rtol=1e-5, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


def named_blocks(unet: UNet) -> dict[str, nn.Module]:
    """List the blocks as CompVis counts them: down with halvings, middle, up.

    The last block of a level on the way up is counted with the doubling behind it.
    """
    blocks: dict[str, nn.Module] = {"conv_in": unet.conv_in}
    for number, down in enumerate(unet.down):
        for index, block in enumerate(down.blocks):
            blocks[f"down {number}, block {index}"] = block
        if down.downsample is not None:
            blocks[f"down {number}, halved"] = down.downsample
    blocks["middle"] = unet.middle
    for number, up in enumerate(unet.up):
        *others, _ = up.blocks
        for index, block in enumerate(others):
            blocks[f"up {number}, block {index}"] = block
        blocks[f"up {number}, done"] = up
    return blocks


def test_the_time_is_embedded_as_in_the_reference(
    unet: UNet, golden: dict[str, Tensor]
) -> None:
    for given, wanted in (("timesteps", "emb320"), ("frac_timesteps", "frac_emb320")):
        ours = sinusoid(golden[f"time.{given}"], 320)
        assert_close(ours, golden[f"time.{wanted}"])
    waves = golden["unet.time_embed.sinusoid"]
    ours = unet.time_out(torch.nn.functional.silu(unet.time_in(waves)))
    assert_close(ours, golden["unet.time_embed.mlp"], TOLERANCE)


@pytest.mark.parametrize("timestep", ["1", "981", "500.5"])
def test_inpainting_unet_predicts_as_the_reference(
    inpainting: UNet, golden: dict[str, Tensor], timestep: str
) -> None:
    assert inpainting.config.in_channels == 9
    latents, context = golden["inpainting.x"], golden["inpainting.context"]
    ours = inpainting(latents, at(float(timestep), latents), Conditioning(context))
    assert_close(ours, golden[f"inpainting.out.t{timestep}"], TOLERANCE)


@pytest.mark.parametrize("form", ["sq", "rect"])
def test_autoencoder_encodes_as_the_reference(
    autoencoder: Autoencoder, golden: dict[str, Tensor], form: str
) -> None:
    moments = autoencoder.encode(golden[f"autoencoder.img.{form}"])
    assert_close(moments, golden[f"autoencoder.moments.{form}"], TOLERANCE)
    noise = golden[f"autoencoder.posterior_noise.{form}"]
    latents = autoencoder.config.scale_factor * sample_latents(moments, noise)
    assert_close(latents, golden[f"autoencoder.scaled_sample.{form}"], TOLERANCE)


@pytest.mark.parametrize("form", ["sq", "rect"])
def test_autoencoder_decodes_as_the_reference(
    autoencoder: Autoencoder, golden: dict[str, Tensor], form: str
) -> None:
    latents = golden[f"autoencoder.latent.{form}"] / autoencoder.config.scale_factor
    ours = autoencoder.decode(latents)
    assert_close(ours, golden[f"autoencoder.decoded.{form}"], TOLERANCE)


def test_autoencoder_decodes_tiles(
    autoencoder: Autoencoder, golden: dict[str, Tensor]
) -> None:
    latents = golden["autoencoder.latent.sq"] / autoencoder.config.scale_factor
    with tiling(autoencoder, x=True, y=True):
        ours = autoencoder.decode(latents)
    assert_close(ours, golden["autoencoder.decoded_tiled.sq"], TOLERANCE)


def test_text_is_embedded_as_in_the_reference(
    text: ClipText, golden: dict[str, Tensor]
) -> None:
    ours = text(golden["text.input_ids"]).tokens
    assert_close(ours, golden["text.last_hidden_state"], TOLERANCE)
