"""Each kind of adapter makes of a layer what LyCORIS and PEFT make of it."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from lycoris import modules
from torch import Tensor, nn

from imaginairy.adapters.acting import Acts
from imaginairy.adapters.file import read_adapter
from imaginairy.networks.layers import Conv2d, Embedding, GroupNorm, LayerNorm, Linear
from tests.support.adapters import random, saved
from tests.support.golden import relative_error

TOLERANCE = 1e-5
STRENGTHS = (1.0, 0.6, -0.5)
INPUTS = {
    "linear": (5, 12),
    "square": (5, 12),
    "convolution": (2, 8, 6, 7),
    "halving": (2, 8, 6, 7),
    "pixels": (2, 8, 6, 7),
}
OF_NORMS = {"norm": (5, 12), "groups": (2, 8, 6, 7)}


def layers() -> dict[str, Any]:
    """Layers of every shape that adapters are made for, with random weights."""
    torch.manual_seed(0)
    return {
        "linear": Linear(12, 20),
        "square": Linear(12, 12),
        "convolution": Conv2d(8, 16, 3, padding=1),
        "halving": Conv2d(8, 16, 3, padding=1, stride=2),
        "pixels": Conv2d(8, 24, 1),
        "norm": LayerNorm(12),
        "groups": GroupNorm(2, 8),
    }


LYCORIS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "LoRA, LoCon": ("LoCon", {}),
    "LoCon with a middle": ("LoCon", {"use_tucker": True}),
    "LoHa": ("Loha", {}),
    "LoHa with a middle": ("Loha", {"use_tucker": True}),
    "LoKr": ("Lokr", {"factor": 4}),
    "LoKr, second half factored": ("Lokr", {"factor": 2, "lora_dim": 1}),
    "LoKr, both halves factored": (
        "Lokr", {"factor": 4, "lora_dim": 1, "decompose_both": True},
    ),
    "LoKr with a middle": ("Lokr", {"factor": 2, "lora_dim": 1, "use_tucker": True}),
    "LoKr, whole": ("Lokr", {"full_matrix": True}),
    "DoRA": ("LoCon", {"weight_decompose": True}),
    "DoRA of inputs": ("LoCon", {"weight_decompose": True, "wd_on_out": False}),
    "DoRA of a LoHa": ("Loha", {"weight_decompose": True}),
    "DoRA of a LoKr": ("Lokr", {"factor": 4, "weight_decompose": True}),
    "(IA)^3": ("IA3", {}),
    "(IA)^3 of inputs": ("IA3", {"train_on_input": True}),
    "GLoRA": ("GLoRA", {}),
    "OFT": ("DiagOFT", {}),
    "OFT that rescales": ("DiagOFT", {"rescaled": True}),
    "OFT that turns little": ("DiagOFT", {"constraint": 0.002}),
    "OFT that could turn far": ("DiagOFT", {"constraint": 10.0}),
    "difference": ("Full", {}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """LyCORIS says much."""
    logger = logging.getLogger("LyCORIS")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


def acts_as(path: Path, name: str, layer: Any, strength: float) -> Any:
    """Return our layer with what a file makes of it."""
    found = read_adapter(path).delta(name)
    assert found is not None
    delta, _ = found
    assert delta.fits(layer.weight, layer.bias)
    layer.changes = (Acts(delta, strength, layer.weight.shape),)
    return layer


@torch.no_grad()
def require_alike(path: Path, layer: Any, module: Any, inputs: Tensor) -> None:
    """Check that our layer becomes with a file what a module of LyCORIS is."""
    for strength in STRENGTHS:
        module.multiplier = strength
        layer.changes = ()
        wanted = module(inputs)
        ours = acts_as(path, "lycoris_it", layer, strength)(inputs)
        assert relative_error(ours, wanted) < TOLERANCE, strength


@torch.no_grad()
def taught(kind: str, layer: Any, options: Mapping[str, Any]) -> Any:
    """Return a module of LyCORIS with random numbers, as it is loaded from a file."""
    of_kind: Any = getattr(modules, f"{kind}Module")
    usual = {"lora_dim": 2, "alpha": 1, "multiplier": 1.0}
    module = of_kind("layer", layer, **{**usual, **options})
    for parameter in module.parameters():
        parameter.copy_(random(*parameter.shape))
    if kind != "Full":
        return module.eval()
    # Only what is loaded is held as a difference from the start.
    held = {f"layer.{name}": each for name, each in module.state_dict().items()}
    parts = of_kind.extract_state_dict(held, "layer")
    return of_kind.make_module_from_state_dict("layer", layer, *parts).eval()


@pytest.mark.parametrize("shape", INPUTS)
@pytest.mark.parametrize("kind", LYCORIS)
def test_a_kind_is_that_of_lycoris(kind: str, shape: str, tmp_path: Path) -> None:
    layer = layers()[shape]
    module = taught(LYCORIS[kind][0], layer, LYCORIS[kind][1])
    tensors = {f"lycoris_it.{k}": v.clone() for k, v in module.state_dict().items()}
    if kind == "difference":
        tensors = {
            "lycoris_it.diff": module.weight.data, "lycoris_it.diff_b": module.bias.data
        }  # fmt: skip
    file = saved(tmp_path / "it.safetensors", tensors)
    require_alike(file, layer, module, random(*INPUTS[shape], scale=1))


@pytest.mark.parametrize("shape", OF_NORMS)
def test_norms_are_changed_as_by_lycoris(shape: str, tmp_path: Path) -> None:
    layer = layers()[shape]
    module = modules.NormModule("layer", layer, 1.0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(random(*parameter.shape))
    tensors = {f"lycoris_it.{name}": each for name, each in module.state_dict().items()}
    file = saved(tmp_path / "it.safetensors", tensors)
    require_alike(file, layer, module, random(*OF_NORMS[shape], scale=1))


class Net(nn.Module):
    """Layers as PEFT is given them."""

    def __init__(self) -> None:
        super().__init__()
        self.config = {"model_type": "layers"}
        self.linear, self.square = nn.Linear(12, 20), nn.Linear(12, 12)
        self.convolution = nn.Conv2d(8, 16, 3, padding=1)
        self.halving = nn.Conv2d(8, 16, 3, padding=1, stride=2)
        self.pixels = nn.Conv2d(8, 24, 1)
        self.rows = nn.Embedding(30, 12)


TARGETS = [*INPUTS, "rows"]
PEFT: Mapping[str, Any] = {
    "LoRA": peft.LoraConfig(r=2, lora_alpha=3, target_modules=TARGETS),
    "DoRA": peft.LoraConfig(r=2, lora_alpha=3, target_modules=TARGETS, use_dora=True),
    "rsLoRA, ranks and alphas of their own": peft.LoraConfig(
        r=4, lora_alpha=3, target_modules=TARGETS, use_rslora=True,
        rank_pattern={"linear": 2}, alpha_pattern={"pixels": 5, "^rows": 7},
    ),
    "LoRA with a bias": peft.LoraConfig(
        r=2, lora_alpha=3, target_modules=["linear", "convolution"], lora_bias=True
    ),
    "LoHa": peft.LoHaConfig(r=2, alpha=3, target_modules=[*INPUTS]),
    "LoHa with a middle": peft.LoHaConfig(
        r=2, alpha=3, target_modules=[*INPUTS], use_effective_conv2d=True
    ),
    "LoKr": peft.LoKrConfig(r=2, alpha=3, target_modules=[*INPUTS]),
    "LoKr with a middle": peft.LoKrConfig(
        r=2, alpha=3, target_modules=[*INPUTS], use_effective_conv2d=True,
        decompose_factor=2,
    ),
    "LoKr, both halves factored": peft.LoKrConfig(
        r=1, alpha=3, target_modules=[*INPUTS], decompose_both=True, decompose_factor=4,
        rank_pattern={"linear": 2},
    ),
    "(IA)^3": peft.IA3Config(
        target_modules=[*INPUTS], feedforward_modules=["pixels", "square"]
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::peft.utils.warning.PeftWarning")  # of biases
@pytest.mark.parametrize("kind", PEFT)
def test_a_kind_is_that_of_peft(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net()
    ours: dict[str, Any] = {**layers(), "rows": Embedding(30, 12)}
    for name in TARGETS:
        ours[name].load_state_dict(net.get_submodule(name).state_dict())
    taught: Any = peft.get_peft_model(net, PEFT[kind])
    with torch.no_grad():
        for name, parameter in taught.named_parameters():
            if ".base_layer." not in name and parameter.requires_grad:
                parameter.add_(random(*parameter.shape))
    taught.save_pretrained(tmp_path)
    adapter = read_adapter(tmp_path)
    assert not set(PEFT[kind].target_modules) - {
        x.split(".")[-1] for x in adapter.layers
    }
    for name in PEFT[kind].target_modules:
        reads = torch.arange(9) if name == "rows" else random(*INPUTS[name], scale=1)
        found = adapter.delta(f"base_model.model.{name}")
        assert found is not None
        layer = ours[name]
        layer.changes = (Acts(found[0], 1.0, layer.weight.shape),)
        with torch.no_grad():
            wanted: Tensor = taught.base_model.model.get_submodule(name)(reads)
            assert relative_error(layer(reads), wanted) < TOLERANCE, name
