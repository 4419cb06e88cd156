"""Hypernetworks change what attentions look at, as they did in training."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imaginairy import ImaginePrompt
from imaginairy.adapters.hypernetworks import (
    ACTIVATIONS,
    entering,
    read_hypernetwork,
    require_suits,
)
from imaginairy.errors import BadOptionError, CheckpointError
from imaginairy.families.family import DENOISER
from imaginairy.networks.layers import Attention
from tests.support.golden import relative_error
from tests.support.pickles import save

WIDTH = 8
CONTEXT = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(1))


def trained(
    width: int,
    activation: type[nn.Module] | None = None,
    *,
    structure: tuple[float, ...] = (1, 2, 1),
    norm: bool = False,
    dropout: bool = False,
    at_end: bool = True,
) -> nn.Sequential:
    """One of the small networks, as it is trained."""
    parts: list[nn.Module] = []
    for place, (into, out) in enumerate(pairwise(structure)):
        parts.append(nn.Linear(int(width * into), int(width * out)))
        if activation and (place < len(structure) - 2 or at_end):
            parts.append(activation())
        if norm:
            parts.append(nn.LayerNorm(int(width * out)))
        if dropout and place < len(structure) - 2:
            parts.append(nn.Dropout(0.3))
    network = nn.Sequential(*parts)
    for name, parameter in network.named_parameters():
        nn.init.normal_(parameter, std=0.3)
        if norm and parameter.ndim == 1 and name.endswith("weight"):
            nn.init.ones_(parameter)
    return network.eval()


def saved(path: Path, *networks: nn.Sequential, **said: Any) -> Path:
    """Save networks for keys and values of one width, as A1111 does."""
    pair = tuple(
        {f"linear.{name}": part for name, part in each.state_dict().items()}
        for each in networks
    )
    whole = {WIDTH: pair, "step": 9, "name": "it", "layer_structure": [1, 2, 1], **said}
    torch.save(whole, path)
    return path


@pytest.fixture
def attention() -> Attention:
    return Attention(16, heads=2, context_width=WIDTH)


def model_of(attention: Attention) -> Any:
    """What has one attention that draws."""
    return SimpleNamespace(
        networks={DENOISER: attention}, device=torch.device("cpu"), network=attention
    )


KINDS: dict[str, dict[str, Any]] = {
    "linear": {},
    "relu": {"activation": nn.ReLU},
    "leakyrelu": {"activation": nn.LeakyReLU},
    "elu": {"activation": nn.ELU},
    "swish": {"activation": nn.Hardswish},
    "tanh": {"activation": nn.Tanh},
    "sigmoid": {"activation": nn.Sigmoid},
    "mish": {"activation": nn.Mish},
    "normalised": {"activation": nn.ReLU, "norm": True},
    "normalised alone": {"norm": True},
    "deep": {"activation": nn.ReLU, "structure": (1, 2, 3, 1)},
    "dropout": {"activation": nn.ReLU, "dropout": True, "structure": (1, 2, 2, 1)},
    "not at its end": {"activation": nn.ReLU, "at_end": False},
    "all": {"activation": nn.Tanh, "norm": True, "dropout": True, "at_end": False},
}


@pytest.mark.parametrize("kind", KINDS)
def test_keys_and_values_get_what_the_networks_add(
    kind: str, attention: Attention, tmp_path: Path
) -> None:
    options = KINDS[kind]
    networks = [trained(WIDTH, **options) for _ in range(2)]
    of = options.get("activation")
    said = {
        "activation_func": {nn.Hardswish: "swish"}.get(of, of and of.__name__.lower()),
        "activate_output": options.get("at_end", True),
        "is_layer_norm": "norm" in options,
        "use_dropout": "dropout" in options,
        "last_layer_dropout": False,
    }
    path = saved(tmp_path / "it.pt", *networks, **said)
    before = attention.key(CONTEXT), attention.value(CONTEXT)
    with (
        torch.inference_mode(),
        entering(model_of(attention), [(read_hypernetwork(path), 0.7)]),
    ):
        for layer, network in zip(
            (attention.key, attention.value), networks, strict=True
        ):
            expected = nn.Linear.forward(layer, CONTEXT + 0.7 * network(CONTEXT))
            assert relative_error(layer(CONTEXT), expected) < 1e-6
    assert torch.equal(attention.key(CONTEXT), before[0])
    assert torch.equal(attention.value(CONTEXT), before[1])


def test_those_of_old_have_two_layers_by_name(tmp_path: Path) -> None:
    first, second = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)
    named = {
        f"{name}.{kind}": part.detach()
        for name, layer in (("linear1", first), ("linear2", second))
        for kind, part in layer.named_parameters()
    }
    torch.save(
        {
            WIDTH: (named, {name: part.clone() for name, part in named.items()}),
            "step": 1,
        },
        tmp_path / "old.pt",
    )
    small, _ = read_hypernetwork(tmp_path / "old.pt").pairs[WIDTH]
    assert relative_error(small(CONTEXT), second(first(CONTEXT)).detach()) < 1e-6


def test_several_act_one_behind_the_other(attention: Attention, tmp_path: Path) -> None:
    pairs = [[trained(WIDTH) for _ in range(2)] for _ in range(2)]
    read = [
        read_hypernetwork(saved(tmp_path / f"{n}.pt", *pair))
        for n, pair in enumerate(pairs)
    ]
    with (
        torch.inference_mode(),
        entering(model_of(attention), [(read[0], 0.5), (read[1], -1.0)]),
    ):
        x = CONTEXT + 0.5 * pairs[0][0](CONTEXT)
        expected = nn.Linear.forward(attention.key, x - pairs[1][0](x))
        assert relative_error(attention.key(CONTEXT), expected) < 1e-5


def test_what_is_0_or_of_another_width_does_nothing(
    attention: Attention, tmp_path: Path
) -> None:
    read = read_hypernetwork(saved(tmp_path / "it.pt", trained(WIDTH), trained(WIDTH)))
    wide = Attention(16, heads=2)
    for of, much in ((attention, 0.0), (wide, 1.0)):
        with entering(model_of(of), [(read, much)]):
            assert of.key.changes == () == of.value.changes


def test_a_failure_inside_leaves_all_as_it_was(
    attention: Attention, tmp_path: Path
) -> None:
    read = read_hypernetwork(saved(tmp_path / "it.pt", trained(WIDTH), trained(WIDTH)))
    with pytest.raises(KeyError), entering(model_of(attention), [(read, 1.0)]):
        assert len(attention.key.changes) == 1
        raise KeyError
    assert attention.key.changes == ()


def broken(tensor: Tensor) -> dict[Any, Any]:
    """A hypernetwork whose first layer is that."""
    pair = {"linear.0.weight": tensor, "linear.1.weight": torch.ones(WIDTH, 16)}
    return {WIDTH: (pair, {name: part.clone() for name, part in pair.items()})}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"emb_params": CONTEXT[0]}, "holds no hypernetwork, but a textual inversion"),
        (
            {**broken(torch.ones(16, WIDTH)), "more": CONTEXT},
            "holds no hypernetwork, but",
        ),
        (broken(torch.ones(16, 7)), "its layers for 8 numbers do not belong together"),
        (broken(torch.ones(15, WIDTH)), "do not belong together; fetch it again"),
        (broken(torch.ones(2, 16, WIDTH)), "do not belong together; fetch it again"),
        (broken(torch.full((16, WIDTH), torch.inf)), "not finite"),
        ({WIDTH: ({}, {}), "a": 1}, "holds no tensors by name"),
        (
            {**broken(torch.ones(16, WIDTH)), "activation_func": "prelu"},
            "has the activation 'prelu'; those known are celu, elu,",
        ),
    ],
)
def test_what_is_none_is_refused(content: Any, says: str, tmp_path: Path) -> None:
    save(content, tmp_path / "it.pt")
    with pytest.raises(CheckpointError) as refusal:
        read_hypernetwork(tmp_path / "it.pt")
    assert says in str(refusal.value)


def test_activations_are_those_of_torch() -> None:
    known = {name.lower(): each for name, each in vars(nn).items()}
    for name in ACTIVATIONS.keys() - {"linear", "none", "swish"}:
        torch.testing.assert_close(
            ACTIVATIONS[name](CONTEXT), known[name]().eval()(CONTEXT)
        )


@pytest.fixture
def sized() -> Iterator[Any]:
    """Return models whose picture and text are so wide."""

    def sized(width: int, text: int) -> Any:
        attentions = nn.ModuleList(
            [Attention(width, heads=1), Attention(width, heads=1, context_width=text)]
        )
        return SimpleNamespace(
            networks={DENOISER: attentions},
            network=SimpleNamespace(config=SimpleNamespace(context_dim=text)),
            family=SimpleNamespace(title="A Family"),
        )

    return sized


@pytest.mark.parametrize(
    ("widths", "text", "fits"),
    [
        ((320, 768), 768, True),
        ((320, 768), 1024, False),
        ((320, 768, 1024), 1024, True),
        ((320,), 1024, True),
        ((640,), 1024, False),
        ((320, 768), 2048, False),
    ],
)
def test_it_is_for_models_of_its_text(
    widths: tuple[int, ...], text: int, fits: bool, sized: Any, tmp_path: Path
) -> None:
    pair = {"linear.0.weight": None}
    whole = {
        width: tuple(
            {**pair, "linear.0.weight": torch.zeros(width, width)} for _ in range(2)
        )
        for width in widths
    }
    torch.save(whole, tmp_path / "it.pt")
    read = read_hypernetwork(tmp_path / "it.pt")
    if fits:
        require_suits(read, sized(320, text), "m")
        return
    with pytest.raises(CheckpointError) as refusal:
        require_suits(read, sized(320, text), "m")
    assert "; the model 'm' is of A Family." in str(refusal.value)
    if 768 in widths:
        assert "a hypernetwork for Stable Diffusion 1.x" in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("a.pt=0.5", ("a.pt=0.5",)),
        (Path("a.pt"), ("a.pt",)),
        (["a.pt", "", " b=-1 "], ("a.pt", "b=-1")),
        ("", ()),
    ],
)
def test_several_are_given_in_any_form(given: Any, read: tuple[str, ...]) -> None:
    prompt = ImaginePrompt("a <hypernet:c:2> fox <hypernet:d>", hypernetworks=given)
    assert prompt.hypernetworks == read
    assert prompt.all_hypernetworks == (*read, "c=2", "d=1")


@pytest.mark.parametrize(
    ("text", "given", "says"),
    [
        ("a", 5, "hypernetworks are hypernetworks, each as FILE or FILE=0.8, not"),
        ("a", [5], "A hypernetwork is given as FILE or FILE=0.8, not 5; FILE is a"),
        ("a", "b=101", "The weight of the hypernetwork 'b' 101.0 is out of range"),
        (
            "a <hypernet:b:1e400>",
            (),
            "The weight of the hypernetwork 'b' must be a number",
        ),
        ("a" + "<hypernet:b:1>" * 15, ["c"] * 6, "There are 21 hypernetworks; at most"),
    ],
)
def test_those_of_a_prompt_are_checked_as_others(
    text: str, given: Any, says: str
) -> None:
    with pytest.raises(BadOptionError) as refusal:
        ImaginePrompt(text, hypernetworks=given)
    assert says in str(refusal.value)
