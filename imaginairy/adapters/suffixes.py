"""What stands behind the name of a layer in files of adapters, in one word each."""

import re
from collections.abc import Mapping
from functools import lru_cache

from imaginairy.log import shortened

NAMED = r"(\.[^.]+)?"
"""The name that PEFT gives an adapter, where it is written."""
HADA = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2")
LOKR = (
    "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_t1",
    "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
)  # fmt: skip
SUFFIXES = {
    "up": rf"(lora_up|lora_B{NAMED}|lora\.up|lora_linear_layer\.up)\.weight",
    "down": rf"(lora_down|lora_A{NAMED}|lora\.down|lora_linear_layer\.down)\.weight",
    "mid": r"lora_mid\.weight",
    "up_bias": rf"lora_B{NAMED}\.bias",
    "rows_a": rf"lora_embedding_A{NAMED}",
    "rows_b": rf"lora_embedding_B{NAMED}",
    "alpha": r"((lora|lora_linear_layer)\.)?alpha",
    "dora_scale": r"dora_scale",
    "magnitude": rf"lora_magnitude_vector({NAMED}\.weight|{NAMED})",
    "ia3_l": rf"ia3_l{NAMED}",
    **{name: rf"{name}\.weight" for name in ("a1", "a2", "b1", "b2")},
    **{name: name for name in (*HADA, *LOKR, "oft_blocks", "rescale", "on_input")},
    **{name: name for name in ("w_norm", "b_norm", "diff", "diff_b", "set_weight")},
    "weight": r"weight",
}
"""Patterns of the ends of names, behind the dot that ends the name of a layer."""
LONGEST = 3
"""Parts between dots that such an end has at most."""
ONE = re.compile("|".join(f"(?P<{name}>{end})" for name, end in SUFFIXES.items()))

REFUSED = {
    ".lambda_layer": "a T-LoRA, whose rank depends on the time step",
    ".reshape_weight": "a LoRA that makes layers larger, as a control LoRA does",
    ".boft_": "a BOFT",
    ".oft_diag": "an OFT as early versions of LyCORIS stored it",
    ".oft_R": "an OFT as PEFT stores it",
    ".oft_r": "an OFT as PEFT stores it",
    ".vera_": "a VeRA",
    ".fourierft_": "a FourierFT",
    ".lora_E": "an AdaLoRA",
}
"""Parts of the names of kinds that are not supported, and what they are."""
BLOCKS_OF_BOFT = 4
"""Axes of the blocks of a BOFT, where those of a Diag-OFT have three."""
BUNDLED = re.compile(
    r"bundle_emb\.(?P<word>.+?)\.(?P<tensor>string_to_param\..*|clip_[lg]|emb_params)"
)
"""The names of learned words that come with an adapter."""


def parted(name: str) -> tuple[str, str] | None:
    """Return the layer and the suffix, in one word, that the name of a tensor says."""
    parts = re.sub(r"_lora([12]?)\.", r"\1.lora.", name).split(".")
    for length in range(min(LONGEST, len(parts) - 1), 0, -1):
        if word := _word(".".join(parts[-length:])):
            layer = ".".join(parts[:-length])
            return layer.replace(".processor.to_", ".to_"), word
    return None


@lru_cache(maxsize=1000)
def _word(end: str) -> str | None:
    found = ONE.fullmatch(end)
    if found is None:
        return None
    return next(name for name in SUFFIXES if found[name] is not None)


def refused(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Return why an adapter is not supported, in words; None where it may be."""
    for name, shape in shapes.items():
        titles = (title for part, title in REFUSED.items() if part in name)
        title = next(titles, None)
        if name.endswith(".oft_blocks") and len(shape) == BLOCKS_OF_BOFT:
            title = "a BOFT"
        if title:
            return f"{title} ('{shortened(name)}'), which is not supported"
    return None
