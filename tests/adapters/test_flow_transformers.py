"""LoRAs of Z-Image, Flux.1, Flux.2 and Chroma, in every spelling that there is."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from diffusers import ZImageTransformer2DModel
from torch import Tensor, nn

from imaginairy.adapters.acting import acting
from imaginairy.adapters.file import Adapter
from imaginairy.conditioning import Conditioning
from imaginairy.errors import CheckpointError
from imaginairy.families.family import (
    AUTOENCODER,
    DENOISER,
    Family,
    LatentGrid,
    PartRow,
    Written,
    WrittenModel,
    function,
)
from imaginairy.learning.fresh import fresh_tensors
from imaginairy.learning.kinds import Layers
from imaginairy.lora import Lora
from imaginairy.published import flux
from imaginairy.weights.blocks import BLOCKS
from imaginairy.weights.packed import Packed
from imaginairy.weights.packing import PACKS
from tests.adapters.conftest import Made
from tests.published.test_controlnet import filled
from tests.published.test_flux import KINDS as FLUX
from tests.published.test_zimage import SMALL
from tests.published.test_zimage import its_authors as zimage_names
from tests.support.adapters import flat, low_rank, random
from tests.support.flow_names import its_authors as flux_names
from tests.support.golden import CPU, assert_close
from tests.support.renamed import Held, Named

pytestmark = pytest.mark.filterwarnings(
    "ignore:`FluxPosEmbed` is deprecated:FutureWarning"
)
KINDS: dict[str, tuple[str, str]] = {
    "Z-Image": ("z-image", "zimage"),
    "Flux.1 dev": ("flux1", "flux"),
    "Flux.2": ("flux2", "flux"),
    "Chroma": ("chroma", "flux"),
}
"""By the name that families have, and the module that names their networks."""


def family(name: str) -> Family:
    title, module = KINDS[name]
    row = PartRow(DENOISER, "transformer", "t", "", _published(module))
    vae = PartRow(AUTOENCODER, "autoencoder", "vae", "vae.", "")
    return Family(
        title, name, lambda header: False, (row, vae), "", LatentGrid(4, 8), 1024
    )


def _published(module: str) -> str:
    return f"imaginairy.published.{module}:{module}"


@dataclass(frozen=True, eq=False)
class Model:
    """A model of which only what draws is there."""

    family: Family
    named: Mapping[str, Named]
    """Its tensors, as diffusers and as its authors name them."""
    settings: Mapping[str, Any]
    networks: Mapping[str, nn.Module]
    device: torch.device = CPU

    @property
    def network(self) -> Any:
        return self.networks[DENOISER]

    def with_weights(self, named: Named) -> nn.Module:
        """Return what draws with other weights."""
        published = function(self.family.part(DENOISER).published)
        network: nn.Module = published(Held(named), self.settings).load(
            CPU, torch.float32
        )
        return network


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest) -> Model:
    return model_of(request.param)


def model_of(name: str) -> Model:
    theirs = diffusers_of(name)
    named = dict(theirs.state_dict())
    authors = zimage_names if name == "Z-Image" else flux_names
    model = Model(
        family(name),
        {"diffusers": named, "authors": authors(named)},
        dict(theirs.config),
        {},
    )
    return Model(
        model.family, model.named, model.settings, {DENOISER: model.with_weights(named)}
    )


@torch.no_grad()
def diffusers_of(name: str) -> Any:
    torch.manual_seed(0)
    if name == "Z-Image":
        return filled(ZImageTransformer2DModel(**SMALL), seed=1)
    build, size = FLUX[name]
    return filled(build(**size), seed=1)


def velocity(network: Any) -> Tensor:
    """Return what a network says of a fixed picture and text."""
    chance = torch.Generator().manual_seed(4)
    config = network.config
    width = config.context_dim
    latents, tokens, pooled = (
        torch.randn(shape, generator=chance)
        for shape in ((1, 4, 6, 8), (1, 5, width), (1, 20))
    )
    told = Conditioning(tokens, pooled, guidance=torch.tensor([3.0]))
    with torch.inference_mode():
        given: Tensor = network(latents, torch.tensor([400.0]), told)
    return given


def layers(named: Named) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what is multiplied by, by path."""
    return {
        name.removesuffix(".weight"): tuple(tensor.shape)
        for name, tensor in named.items()
        if tensor.ndim == 2 and name.endswith(".weight")
    }


Spelled = Callable[[str], str]
SPELLINGS: dict[str, tuple[Spelled, str, str]] = {
    **{
        start: (start.__add__, "lora_A.weight", "lora_B.weight")
        for start in (
            "diffusion_model.", "transformer.", "", "base_model.model.",
            "model.diffusion_model.", "transformer.base_model.model.",
        )
    },
    **{
        start: (
            lambda path, start=start: start + flat(path),
            "lora_down.weight",
            "lora_up.weight",
        )
        for start in ("lora_unet_", "lora_transformer_", "lycoris_")
    },
}  # fmt: skip
"""How a path is spelled, and what stands behind it for what maps down and up."""


def both(
    named: Named, spelling: str, chosen: Callable[[str], bool] = bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return a LoRA of layers as spelled, and the weights that it makes of them."""
    spell, down_end, up_end = SPELLINGS[spelling]
    torch.manual_seed(2)
    tensors, weights = {}, dict(named)
    for path, shape in layers(named).items():
        if not chosen(path):
            continue
        down, up = low_rank(shape)
        tensors |= {f"{spell(path)}.{down_end}": down, f"{spell(path)}.{up_end}": up}
        weights[f"{path}.weight"] = weights[f"{path}.weight"] + 0.5 * up @ down
    return tensors, weights


@pytest.mark.parametrize("naming", ["diffusers", "authors"])
def test_it_changes_what_its_product_does(
    model: Model, made: Made, naming: str
) -> None:
    """Also where what it changes is one layer there, and several here."""
    plain = velocity(model.network)
    named = model.named[naming]
    for number, spelling in enumerate(SPELLINGS):
        tensors, weights = both(named, spelling)
        adapter = made(tensors)
        found = adapter.found_in(model)
        assert found.unused == []
        if number % 4:  # that all have their places is quicker seen
            continue
        wanted = velocity(model.with_weights(weights))
        assert not torch.allclose(wanted, plain, atol=1e-2)
        for merged in (False, True):
            with acting(model, [(adapter, Lora("it", 0.5))], merged=merged):
                assert_close(velocity(model.network), wanted, 1e-5)
    assert torch.equal(velocity(model.network), plain)


@pytest.mark.parametrize("name", ["Z-Image", "Flux.1 dev", "Flux.2"])
def test_it_acts_as_it_does_in_diffusers(made: Made, name: str) -> None:
    model, theirs = model_of(name), diffusers_of(name)
    tensors, _ = both(model.named["diffusers"], "transformer.", _usually_changed)
    theirs.load_lora_adapter(dict(tensors), prefix="transformer")
    theirs.fuse_lora(lora_scale=0.5)
    theirs.unload_lora()
    wanted = velocity(model.with_weights(theirs.state_dict()))
    with acting(model, [(made(tensors), Lora("it", 0.5))]):
        assert_close(velocity(model.network), wanted, 1e-5)


def _usually_changed(path: str) -> bool:
    return re.search(r"attn|attention|ff|feed_forward|proj_mlp", path) is not None


def test_xlabs_lays_them_beside_attentions(made: Made) -> None:
    model = model_of("Flux.1 dev")
    named, tensors = dict(model.named["authors"]), {}
    torch.manual_seed(2)
    width = model.network.config.width
    for block in range(2):
        for number, stream in ((1, "img"), (2, "txt")):
            for kind, layer in (("qkv", "qkv"), ("proj", "proj")):
                weight = f"double_blocks.{block}.{stream}_attn.{layer}.weight"
                down, up = low_rank(tuple(named[weight].shape))
                start = f"double_blocks.{block}.processor.{kind}_lora{number}"
                tensors |= {f"{start}.down.weight": down, f"{start}.up.weight": up}
                named[weight] = named[weight] + up @ down
    start = "single_blocks.1.processor"
    down, up = random(3, width), random(3 * width, 3)
    tensors |= {f"{start}.qkv_lora.down.weight": down}
    tensors |= {f"{start}.qkv_lora.up.weight": up}
    fused = named["single_blocks.1.linear1.weight"].clone()
    fused[: 3 * width] += up @ down
    named["single_blocks.1.linear1.weight"] = fused
    weight = "single_blocks.1.linear2.weight"
    down, up = low_rank(tuple(named[weight].shape))
    tensors |= {f"{start}.proj_lora.down.weight": down}
    tensors |= {f"{start}.proj_lora.up.weight": up}
    named[weight] = named[weight] + up @ down
    adapter = made(tensors)
    assert adapter.found_in(model).unused == []
    with acting(model, [(adapter, Lora("it"))]):
        wanted = velocity(model.with_weights(named))
        assert_close(velocity(model.network), wanted, 1e-5)


def of_kinds(shape: tuple[int, ...]) -> Iterator[dict[str, Tensor]]:
    """Yield what other kinds hold for a weight."""
    rows, columns = shape
    down, up = low_rank(shape)
    thin = {"lora_down.weight": down, "lora_up.weight": up}
    yield thin | {"dora_scale": 1 + random(rows, 1)}
    yield {
        f"hada_w{half}_{side}": random(*size)
        for half in "12"
        for side, size in (("a", (rows, 2)), ("b", (2, columns)))
    }
    yield {"lokr_w1": random(7, 2), "lokr_w2": random(rows // 7, columns // 2)}
    yield {"diff": random(*shape)}
    yield {"set_weight": random(*shape)}
    yield {"oft_blocks": random(7, rows // 7, rows // 7)}


def test_other_kinds_of_a_layer_that_is_several_here(made: Made) -> None:
    """What is made of all rows at once is what is made of each."""
    model = model_of("Flux.1 dev")
    named, path = model.named["authors"], "single_blocks.1.linear1"
    weight = named[f"{path}.weight"]
    for tensors in of_kinds(tuple(weight.shape)):
        adapter = made({f"lora_unet_{flat(path)}.{k}": v for k, v in tensors.items()})
        found = adapter.delta(f"lora_unet_{flat(path)}")
        assert found is not None
        changed, _ = found[0].changed(weight, None, 1.0)
        wanted = velocity(model.with_weights({**named, f"{path}.weight": changed}))
        with acting(model, [(adapter, Lora("it"))]):
            assert_close(velocity(model.network), wanted, 1e-5)


def test_gains_of_norms_are_changed(made: Made) -> None:
    for name, naming, path in (
        ("Z-Image", "authors", "layers.1.attention_norm1.weight"),
        ("Flux.2", "authors", "single_blocks.0.norm.query_norm.scale"),
        ("Flux.2", "diffusers", "transformer_blocks.0.attn.norm_added_k.weight"),
    ):
        model = model_of(name)
        more = random(*model.named[naming][path].shape)
        end = path.removesuffix(".weight")
        adapter: Adapter = made({f"diffusion_model.{end}.diff": more})
        named = {**model.named[naming], path: model.named[naming][path] + more}
        wanted = velocity(model.with_weights(named))
        assert not torch.allclose(wanted, velocity(model.network), atol=1e-4)
        with acting(model, [(adapter, Lora("it"))]):
            assert_close(velocity(model.network), wanted, 1e-5)


FLUX_2_NAMES, FLUX_1_NAMES = flux.NAMINGS[:2]
NAMES = {"Flux.2": "FLUX_2_NAMES", "Flux.1 dev": "FLUX_1_NAMES"}
SAYS = WrittenModel({}, "", "", {}, trained_as="flux")


@pytest.mark.parametrize("name", NAMES)
def test_fresh_ones_have_layers_as_files_do(made: Made, name: str) -> None:
    """One of Flux.2 that learns has one layer where that has one."""
    model = model_of(name)
    naming = f"{__name__}:{NAMES[name]}"
    drawn, vae = model.family.parts
    parts = replace(drawn, written=Written("", naming, naming, "")), vae
    model = replace(model, family=replace(model.family, parts=parts, written=SAYS))
    known = layers(model.named["diffusers"])
    kinds: tuple[Layers, ...] = ("attention", "transformers", "all")
    for kind in kinds:
        fresh = fresh_tensors("lora", model, rank=2, layers=kind)
        shapes = {
            flat(path): (fresh[f"lora_unet_{flat(path)}.lora_up.weight"].shape[0],
                         fresh[f"lora_unet_{flat(path)}.lora_down.weight"].shape[1])
            for path in known
            if f"lora_unet_{flat(path)}.alpha" in fresh
        }  # fmt: skip
        assert len(fresh) == 3 * len(shapes)
        assert shapes.items() <= {flat(path): s for path, s in known.items()}.items()
        assert (
            made(fresh, ss_base_model_version=model.family.name).found_in(model).unused
            == []
        )
        assert (len(shapes) == len(known)) == (kind == "all")
        single = "single_transformer_blocks_0_attn_to_q"
        fused = f"{single}kv_mlp_proj"
        assert (fused if name == "Flux.2" else single) in shapes


def test_one_for_another_family_is_refused(made: Made) -> None:
    flux, chroma, later = map(model_of, ("Flux.1 dev", "Chroma", "Flux.2"))
    query = both(flux.named["authors"], "lora_unet_", lambda path: "qkv" in path)[0]
    of_any, of_first = made(query), made(query, ss_base_model_version="flux1")
    for each in (flux, chroma, later):
        assert of_any.found_in(each).unused == []
    for each in (flux, chroma):
        assert of_first.found_in(each).unused == []
    with pytest.raises(CheckpointError, match=r"is a LoRA for Flux\.1; the model is F"):
        of_first.found_in(later)
    with pytest.raises(CheckpointError, match="is a LoRA for Chroma; the model is Flu"):
        made(query, ss_base_model_version="chroma").found_in(flux)


@pytest.mark.parametrize("merged", [False, True])
def test_weights_that_are_packed_stay_so(made: Made, merged: bool) -> None:
    model = model_of("Flux.2")
    named = dict(model.named["authors"])
    tensors, _ = both(named, "diffusion_model.", lambda path: "blocks" in path)
    packed: dict[str, Tensor] = {}
    for path in layers(named):
        weight = named[f"{path}.weight"]
        if "blocks" in path:
            blocks = PACKS["Q8_0"](weight)
            tensor = Packed(BLOCKS["Q8_0"][1], (blocks,), tuple(weight.shape))
            packed[f"{path}.weight"] = tensor
            named[f"{path}.weight"] = tensor.unpacked()
    ours = replace(model, networks={DENOISER: model.with_weights({**named, **packed})})
    plain, adapter = model.with_weights(named), made(tensors)
    with acting(replace(model, networks={DENOISER: plain}), [(adapter, Lora("it"))]):
        wanted = velocity(plain)
    held = ours.network.singles[0].widen.weight
    assert isinstance(held, Packed)
    with acting(ours, [(adapter, Lora("it"))], merged=merged):
        assert_close(velocity(ours.network), wanted, 1e-5)
    assert ours.network.singles[0].widen.weight is held
    assert_close(velocity(ours.network), velocity(plain), 1e-5)
