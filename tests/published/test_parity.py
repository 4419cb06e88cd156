"""Networks of Stable Diffusion 2, XL and their kin against the other libraries'.

On the same weights, in float32, at widths that run in no time; in the naming of
folders and in that of single files, for which shapes alone tell all but the settings
that a family gives. Measured differences are below 2e-6 of the largest value.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import LatentConsistencyModelPipeline
from safetensors.torch import save_file
from torch import Tensor, nn

from imaginairy.conditioning import Conditioning
from imaginairy.errors import CheckpointError
from imaginairy.published.autoencoder import autoencoder
from imaginairy.published.clip_text import OPENCLIP, clip_text
from imaginairy.published.clip_text import SETTINGS as TEXT_SETTINGS
from imaginairy.published.unet import SETTINGS as UNET_SETTINGS
from imaginairy.published.unet import unet
from imaginairy.settings import read
from imaginairy.weights.stored import as_stored
from imaginairy.weights.weightfile import Tensors, open_weights
from tests.support.golden import CPU, assert_close
from tests.support.kin import UNETS, autoencoder_of, kin_text, kin_unet, narrow
from tests.support.renamed import (
    Held,
    Named,
    compvis_autoencoder,
    compvis_unet,
    levelled,
    openclip_text,
)

TOLERANCE = 1e-5
BATCHES = (1, 3)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def noise(*shape: int, seed: int = 7) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(build: Callable[[], Any]) -> Any:
    """Build a network with random weights, biases and norms that matter too."""
    torch.manual_seed(3)
    network = build().eval()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def settings_of(network: Any) -> dict[str, Any]:
    said = json.loads(json.dumps(dict(network.config)))
    return read(Path("config.json"), said, UNET_SETTINGS, "a UNet")


def told(name: str, batch: int, *, pooled: int = 20) -> Conditioning:
    """Say something to a UNet of a kind, to each picture of a batch its own."""
    tokens = noise(batch, 13, 24, seed=1)
    ids = {"XL refiner": [512, 640, 0, 8, 6]}.get(name, [768, 1024, 32, 0, 512, 512])
    if "projection_class_embeddings_input_dim" not in UNETS[name]:
        return Conditioning(tokens)
    each = torch.tensor(ids).float() + torch.arange(batch)[:, None] * 2.5
    return Conditioning(tokens, noise(batch, pooled, seed=2), each)


def predicted(theirs: Any, latents: Tensor, time: Tensor, text: Conditioning) -> Tensor:
    added = {"text_embeds": text.pooled, "time_ids": text.ids}
    given = None if text.pooled is None else added
    output: Tensor = theirs(latents, time, text.tokens, added_cond_kwargs=given).sample
    return output


@pytest.mark.parametrize("name", UNETS)
def test_a_unet_of_every_kind_equals_diffusers(name: str) -> None:
    theirs = seeded(lambda: kin_unet(name, **narrow(name)))
    named = theirs.state_dict()
    folder = unet(Held(named), settings_of(theirs)).load(CPU, torch.float32)
    file = unet(Held(compvis_unet(named)), {}).load(CPU, torch.float32)
    for batch in BATCHES:
        latents = noise(batch, theirs.config.in_channels, 8, 16)
        time = torch.tensor([999, 41.25, 0][:batch])
        text = told(name, batch)
        wanted = predicted(theirs, latents, time, text)
        for ours in (folder, file):
            assert_close(ours(latents, time, text), wanted, TOLERANCE)


def test_a_unet_s_settings_say_its_heads_and_the_width_of_ids() -> None:
    sizes = {
        **narrow("XL"),
        "attention_head_dim": (4, 2, 8),
        "addition_time_embed_dim": 10,
        "projection_class_embeddings_input_dim": 20 + 6 * 10,
    }
    theirs = seeded(lambda: kin_unet("XL", **sizes))
    ours = unet(Held(theirs.state_dict()), settings_of(theirs)).load(CPU, torch.float32)
    latents, time, text = noise(1, 4, 8, 8), torch.tensor([500]), told("XL", 1)
    wanted = predicted(theirs, latents, time, text)
    assert_close(ours(latents, time, text), wanted, TOLERANCE)


def test_a_unet_may_read_the_guidance_scale() -> None:
    """As those of latent consistency models do; the scale is of each picture."""
    theirs = seeded(lambda: kin_unet("XL", **narrow("XL"), time_cond_proj_dim=25))
    named = theirs.state_dict()
    folder = unet(Held(named), settings_of(theirs)).load(CPU, torch.float32)
    file = unet(Held(compvis_unet(named)), {}).load(CPU, torch.float32)
    latents, time, text = noise(3, 4, 8, 8), torch.tensor([999, 259, 0]), told("XL", 3)
    scales = torch.tensor([1.0, 8.5, 2.25])
    embedded = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
        None, scales - 1, embedding_dim=25
    )
    added = {"text_embeds": text.pooled, "time_ids": text.ids}
    wanted = theirs(
        latents, time, text.tokens, timestep_cond=embedded, added_cond_kwargs=added
    ).sample
    for ours in (folder, file):
        read = ours(latents, time, replace(text, guidance=scales))
        assert_close(read, wanted, TOLERANCE)
        with pytest.raises(ValueError, match="its conditioning has none"):
            ours(latents, time, text)


def test_levels_may_have_different_numbers_of_blocks() -> None:
    sizes = {
        **narrow("KOALA 700M"),
        "layers_per_block": (1, 3, 2),
        "transformer_layers_per_block": 1,
    }
    theirs = seeded(lambda: kin_unet("KOALA 700M", **sizes))
    latents, time, text = noise(1, 4, 8, 8), torch.tensor([500]), told("XL", 1)
    wanted = predicted(theirs, latents, time, text)
    named = theirs.state_dict()
    for each in (named, compvis_unet(named)):
        ours = unet(Held(each), {}).load(CPU, torch.float32)
        assert_close(ours(latents, time, text), wanted, TOLERANCE)


def xl_unet() -> nn.Module:
    theirs = seeded(lambda: kin_unet("KOALA 700M", **narrow("KOALA 700M")))
    return unet(Held(theirs.state_dict()), {}).load(CPU, torch.float32)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (Conditioning(noise(1, 5, 24)), "reads a pooled text and ids .* has no pooled"),
        (Conditioning(noise(1, 5, 24), noise(1, 20)), "its conditioning has no ids"),
        (
            Conditioning(noise(1, 5, 24), noise(1, 20), torch.zeros(1, 5)),
            "ids of 1556 numbers in all, 256 an id; .* of 20 and 5 ids, .* 1300",
        ),
    ],
)
def test_a_conditioning_that_lacks_what_a_unet_reads_is_refused(
    text: Conditioning, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        xl_unet()(noise(1, 4, 8, 8), torch.tensor([500]), text)


def test_what_is_told_beside_the_text_counts() -> None:
    ours, latents, time = xl_unet(), noise(1, 4, 8, 8), torch.tensor([500])
    text = told("XL", 1)
    assert text.ids is not None
    alone = ours(latents, time, text)
    for other in (
        Conditioning(text.tokens, noise(1, 20, seed=9), text.ids),
        Conditioning(text.tokens, text.pooled, text.ids.roll(1, dims=1)),
    ):
        assert (ours(latents, time, other) - alone).abs().max() > 1e-3


SMALL: dict[str, Any] = {
    "vocab_size": 99,
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "bos_token_id": 97,
    "eos_token_id": 98,
    "pad_token_id": 0,
}
WHOLE = {"final_norm": False, "pooled": True, "projected": True}


def texts(batch: int) -> Tensor:
    """Return ids of texts that end at different places, some more than once."""
    ids = torch.randint(1, 97, (batch, 77), generator=torch.Generator().manual_seed(1))
    for row, end in enumerate((5, 76, 1)[:batch]):
        ids[row, end] = 98
        ids[row, end + 1 :] = (0, 0, 98)[row]
    return ids


@pytest.mark.parametrize("batch", BATCHES)
def test_the_text_encoder_of_2_equals_transformers(batch: int) -> None:
    """A file has one layer more than a folder; neither runs it."""
    whole = seeded(lambda: kin_text("ViT-H", projected=True, **SMALL))
    file = Held(openclip_text(whole.state_dict()))
    cut = {n: t for n, t in whole.state_dict().items() if "layers.3." not in n}
    folder = Held(levelled(cut))
    ids = texts(batch)
    states = whole(ids, output_hidden_states=True).hidden_states
    norm = whole.text_model.final_layer_norm
    for tensors, settings in ((file, {}), (folder, {"hidden_act": "gelu"})):
        ours = clip_text(tensors, settings).load(CPU, torch.float32)
        said = ours(ids)
        assert_close(said.tokens, norm(states[-2]), TOLERANCE)
        assert said.pooled is None
        assert_close(ours(ids, clip_skip=2).tokens, norm(states[-3]), TOLERANCE)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("renamed", [levelled, openclip_text])
def test_the_second_text_encoder_of_xl_equals_transformers(
    renamed: Callable[[Named], Named], batch: int
) -> None:
    sizes = {**SMALL, "projection_dim": 40}
    theirs = seeded(lambda: kin_text("ViT-bigG", projected=True, **sizes))
    named = Held(renamed(theirs.state_dict()))
    ours = clip_text(named, {"hidden_act": "gelu", **WHOLE}).load(CPU, torch.float32)
    ids = texts(batch)
    wanted = theirs(ids, output_hidden_states=True)
    for skip in (1, 2, 4):
        said = ours(ids, clip_skip=skip)
        state = wanted.hidden_states[-skip]
        if skip > 1:  # the last is handed on normalised by the other library
            assert_close(said.tokens, state, TOLERANCE)
        assert_close(said.pooled, wanted.text_embeds, TOLERANCE)


@pytest.mark.parametrize("batch", BATCHES)
def test_the_first_text_encoder_of_xl_equals_transformers(batch: int) -> None:
    theirs = seeded(lambda: kin_text("ViT-L", projected=False, **SMALL))
    named = Held(levelled(theirs.state_dict()))
    ours = clip_text(named, {"final_norm": False}).load(CPU, torch.float32)
    plain = clip_text(named, {"pooled": True}).load(CPU, torch.float32)
    ids = texts(batch)
    wanted = theirs(ids, output_hidden_states=True)
    said = ours(ids, clip_skip=2)
    assert_close(said.tokens, wanted.hidden_states[-2], TOLERANCE)
    assert said.pooled is None
    assert_close(plain(ids).tokens, wanted.last_hidden_state, TOLERANCE)
    assert_close(plain(ids).pooled, wanted.pooler_output, TOLERANCE)


def test_layers_that_nothing_is_taken_from_are_not_run() -> None:
    named = levelled(kin_text("ViT-L", projected=False, **SMALL).state_dict())
    run: list[nn.Module] = []
    for settings, layers in (({}, 2), ({"pooled": True}, 4)):
        ours: Any = clip_text(Held(named), settings).load(CPU, torch.float32)
        for layer in ours.layers:
            layer.register_forward_hook(lambda module, *_: run.append(module))
        ours(texts(1), clip_skip=3)
        assert run == list(ours.layers)[:layers]
        run.clear()


def test_a_text_is_pooled_where_it_first_ends() -> None:
    """A word of one's own has a higher id than the end; it is not taken for one."""
    theirs = seeded(lambda: kin_text("ViT-L", projected=False, **SMALL))
    named = Held(levelled(theirs.state_dict()))
    settings = {"pooled": True, "eos_token_id": 90}
    ours = clip_text(named, settings).load(CPU, torch.float32)
    ids = torch.tensor([[97, 5, 98, 90, 7, 90]])
    assert torch.equal(ours(ids).pooled, ours(ids).tokens[:, 3])


@pytest.mark.parametrize("end", [None, 2, 99])
def test_settings_that_say_no_end_leave_the_vocabulary_s_last(end: object) -> None:
    """As configurations of CLIP have it, which long said 2 whatever the vocabulary."""
    named = levelled(kin_text("ViT-L", projected=False, **SMALL).state_dict())
    said = read(Path("config.json"), {"eos_token_id": end}, TEXT_SETTINGS, "a text")
    assert clip_text(Held(named), said).config.end_token == 98


@pytest.mark.parametrize("end", [[98], "98", True, -1])
def test_an_end_that_is_no_token_is_refused(end: object) -> None:
    with pytest.raises(CheckpointError, match=r"has eos_token_id .* no whole number"):
        read(Path("config.json"), {"eos_token_id": end}, TEXT_SETTINGS, "a text")


def test_what_lies_in_one_tensor_is_mapped_and_not_copied(tmp_path: Path) -> None:
    """What lies there turned is laid as elsewhere, so that it computes the same."""
    theirs = seeded(lambda: kin_text("ViT-bigG", projected=True, **SMALL))
    save_file(openclip_text(theirs.state_dict()), tmp_path / "text.safetensors")
    tensors = open_weights(tmp_path / "text.safetensors")
    ours: Any = clip_text(tensors, WHOLE).load(CPU, torch.float32)
    attention = ours.layers[1].attention
    for kind in ("weight", "bias"):
        whole = tensors.read(f"transformer.resblocks.1.attn.in_proj_{kind}")
        for module in (attention.query, attention.key, attention.value):
            assert lies_in(getattr(module, kind), whole)
    projection = ours.projection.weight
    assert projection.is_contiguous()
    assert not lies_in(projection, tensors.read("text_projection"))
    again = as_stored(ours.state_dict(), OPENCLIP.names(ours.config))
    assert again.keys() == tensors.shapes.keys() - {"logit_scale"}
    for name, tensor in again.items():
        assert torch.equal(tensor, tensors.read(name)), name


def lies_in(part: Tensor, whole: Tensor) -> bool:
    begin, end = whole.data_ptr(), whole.data_ptr() + whole.nbytes
    return begin <= part.data_ptr() < end


@pytest.mark.parametrize("renamed", [dict, compvis_autoencoder])
def test_the_autoencoder_equals_diffusers(renamed: Callable[[Named], Named]) -> None:
    theirs = seeded(lambda: autoencoder_of((32, 32, 64, 64)))
    tensors: Tensors = Held(renamed(theirs.state_dict()))
    ours: Any = autoencoder(tensors, {"scaling_factor": 0.13025}).load(
        CPU, torch.float32
    )
    for batch in BATCHES:
        pictures, latents = noise(batch, 3, 24, 16), noise(batch, 4, 3, 2)
        moments = theirs.encode(pictures).latent_dist.parameters
        assert_close(ours.encode(pictures), moments, TOLERANCE)
        wanted = theirs.decode(latents / 0.13025).sample
        assert_close(ours.pictures_of(latents), wanted, TOLERANCE)
