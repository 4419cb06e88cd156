"""Changes of layers that are one in a file and several in ours; and older files."""

from typing import Any

import pytest
import torch
from torch import Tensor

from imaginairy.adapters.acting import Acts
from imaginairy.adapters.delta import Delta
from imaginairy.adapters.kinds import KINDS, Factors, kind_of
from imaginairy.adapters.names import paths_of
from imaginairy.families.table import FAMILIES
from imaginairy.networks.clip_text import ClipText
from imaginairy.networks.config import ClipTextConfig
from imaginairy.networks.layers import Conv2d, Linear
from tests.support.adapters import random
from tests.support.golden import relative_error

TOLERANCE = 1e-5
OFT = next(kind for kind in KINDS if kind.title == "OFT")
WIDTH = 12


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def delta(**tensors: Tensor) -> Delta:
    kind = kind_of({*tensors})
    assert kind is not None
    return Delta(kind, Factors(tensors, alpha=1.0))


FUSED = {
    "LoRA": {"up": (3 * WIDTH, 2), "down": (2, WIDTH)},
    "LoHa": {
        "hada_w1_a": (3 * WIDTH, 2), "hada_w1_b": (2, WIDTH),
        "hada_w2_a": (3 * WIDTH, 2), "hada_w2_b": (2, WIDTH),
    },
    "LoKr": {"lokr_w1": (6, 3), "lokr_w2": (6, 4)},
    "DoRA": {"up": (3 * WIDTH, 2), "down": (2, WIDTH), "dora_scale": (3 * WIDTH, 1)},
    "difference": {"diff": (3 * WIDTH, WIDTH), "diff_b": (3 * WIDTH,)},
    "(IA)^3": {"weight": (3 * WIDTH,), "on_input": (1,)},
    "(IA)^3 of PEFT": {"ia3_l": (3 * WIDTH, 1)},
    "(IA)^3 of inputs": {"ia3_l": (1, WIDTH)},
    "GLoRA": {
        "a1": (WIDTH, 2), "a2": (2, WIDTH), "b1": (3 * WIDTH, 2), "b2": (2, WIDTH),
    },
    "older GLoRA": {
        "a1": (2, WIDTH), "a2": (WIDTH, 2), "b1": (2, WIDTH), "b2": (3 * WIDTH, 2),
    },
    "OFT": {"oft_blocks": (9, 4, 4), "rescale": (3 * WIDTH, 1)},
    "set weight": {"set_weight": (3 * WIDTH, WIDTH)},
}  # fmt: skip


OF_ANY_ROWS = ("(IA)^3 of inputs",)
"""What does not say how many rows there are."""


@pytest.mark.parametrize("kind", FUSED)
def test_rows_of_a_change_belong_to_the_layers_that_are_one_there(kind: str) -> None:
    whole = Linear(WIDTH, 3 * WIDTH)
    change = delta(**{name: random(*shape) for name, shape in FUSED[kind].items()})
    inputs = random(5, WIDTH, scale=1)
    given = []
    with torch.no_grad():
        for part in range(3):
            layer = Linear(WIDTH, WIDTH)
            layer.weight.copy_(whole.weight.chunk(3)[part])
            layer.bias.copy_(whole.bias.chunk(3)[part])
            ours = Delta(change.kind, change.factors, part, 3)
            assert ours.fits(layer.weight, layer.bias)
            assert change.fits(layer.weight, layer.bias) == (kind in OF_ANY_ROWS)
            layer.changes = (Acts(ours, 0.7, layer.weight.shape),)
            given.append(layer(inputs))
        whole.changes = (Acts(change, 0.7, whole.weight.shape),)
        assert relative_error(torch.cat(given, dim=-1), whole(inputs)) < TOLERANCE


MIXED = {
    "the blocks of an OFT turn rows of several into each other": {
        "oft_blocks": (4, 9, 9)
    },
    "the lengths of a DoRA are those of columns that run through all": {
        "up": (3 * WIDTH, 2), "down": (2, WIDTH), "dora_scale": (1, WIDTH),
    },
}  # fmt: skip


@pytest.mark.parametrize("why", MIXED)
def test_what_cannot_be_taken_apart_fits_no_part(why: str) -> None:
    """What becomes of a row there hangs on rows that are another layer's here."""
    change = delta(**{name: random(*shape) for name, shape in MIXED[why].items()})
    layer, whole = Linear(WIDTH, WIDTH), Linear(WIDTH, 3 * WIDTH)
    part = Delta(change.kind, change.factors, 0, 3)
    assert not part.fits(layer.weight, layer.bias)
    assert part.mixed(layer.weight) == why
    assert change.fits(whole.weight, whole.bias)
    assert not change.mixed(whole.weight)


def test_the_table_knows_what_is_one_in_openclip() -> None:
    config = ClipTextConfig(
        vocab_size=20, width=64, layers=1, heads=1, mlp_width=64, max_tokens=5
    )
    row = next(family for family in FAMILIES if family.name == "sd2").texts[0]
    paths = paths_of(row, ClipText(config))
    fused = paths["transformer.resblocks.0.attn.in_proj"]
    assert [(each.module, each.part, each.parts) for each in fused] == [
        ("layers.0.attention.query", 0, 3),
        ("layers.0.attention.key", 1, 3),
        ("layers.0.attention.value", 2, 3),
    ]
    [alone] = paths["text_model.encoder.layers.0.self_attn.q_proj"]
    assert (alone.module, alone.parts) == ("layers.0.attention.query", 1)


@pytest.mark.parametrize("convolved", [False, True])
def test_an_older_glora_has_its_matrices_the_other_way_round(convolved: bool) -> None:
    layer: Any = Conv2d(8, 16, 1) if convolved else Linear(8, 16)
    ones = (1, 1) if convolved else ()
    a1, a2 = random(2, 8, *ones), random(8, 2, *ones)
    b1, b2 = random(2, 8, *ones), random(16, 2, *ones)
    change = delta(a1=a1, a2=a2, b1=b1, b2=b2)
    assert change.fits(layer.weight, layer.bias)
    weight = layer.weight.flatten(1)
    more = weight @ a2.flatten(1) @ a1.flatten(1) + b2.flatten(1) @ b1.flatten(1)
    changed, _ = change.changed(layer.weight.detach(), None, 0.5)
    wanted = (weight + 0.5 / 2 * more).detach()
    assert relative_error(changed.flatten(1), wanted) < TOLERANCE


def test_an_oft_turns_as_far_as_alpha_says_for_each_output() -> None:
    """Below 0 and at 0 alpha says nothing, as where there is none."""
    layer = Linear(WIDTH, WIDTH)
    blocks = random(4, 3, 3)
    skew = blocks - blocks.transpose(1, 2)
    most = 0.01 * WIDTH
    near = skew * (most / skew.norm())
    one = torch.eye(3)
    for alpha, turns in ((0.01, near), (100.0, skew), (-1.0, skew), (0.0, skew)):
        change = Delta(OFT, Factors({"oft_blocks": blocks}, alpha=alpha))
        changed, _ = change.changed(layer.weight.detach(), None, 1.0)
        turn = (one + turns) @ torch.linalg.inv(one - turns)
        rows = layer.weight.detach().reshape(4, 3, WIDTH)
        wanted = torch.einsum("knm,kni->kmi", turn, rows).reshape(WIDTH, WIDTH)
        assert relative_error(changed, wanted) < TOLERANCE, alpha


def test_every_kind_has_a_sign_of_its_own() -> None:
    signs = [sign for kind in KINDS for sign in kind.signs]
    assert len(signs) == len({*signs})
