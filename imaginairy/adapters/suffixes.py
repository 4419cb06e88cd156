"""What stands behind the name of a layer in files of adapters, in one word each."""

import re
from collections.abc import Mapping

from imaginairy.log import shortened

NAMED = r"(\.[^.]+)?"
"""The name that PEFT gives an adapter, where it is written."""
SUFFIXES = {
    "up": rf"(\.lora_up|\.lora_B{NAMED}|[._]lora\.up|\.lora_linear_layer\.up)\.weight",
    "down": rf"(\.lora_down|\.lora_A{NAMED}|[._]lora\.down|\.lora_linear_layer\.down)"
    r"\.weight",
    "mid": r"\.lora_mid\.weight",
    "up_bias": rf"\.lora_B{NAMED}\.bias",
    "rows_a": rf"\.lora_embedding_A{NAMED}",
    "rows_b": rf"\.lora_embedding_B{NAMED}",
    "alpha": r"([._]lora|\.lora_linear_layer)?\.alpha",
    "dora_scale": r"\.dora_scale",
    "magnitude": rf"\.lora_magnitude_vector({NAMED}\.weight|{NAMED})",
    "a1": r"\.a1\.weight",
    "a2": r"\.a2\.weight",
    "b1": r"\.b1\.weight",
    "b2": r"\.b2\.weight",
    "ia3_l": rf"\.ia3_l{NAMED}",
    **{
        name: rf"\.{name}"
        for name in (
            *(f"hada_{x}" for x in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")),
            *(f"lokr_{x}" for x in ("w1_a", "w1_b", "w1", "t1")),
            *(f"lokr_{x}" for x in ("w2_a", "w2_b", "w2", "t2")),
            *("oft_blocks", "rescale", "on_input", "w_norm", "b_norm", "diff_b"),
            *("diff", "set_weight", "weight"),
        )
    },
}
"""Patterns of the ends of names."""
PATTERN = re.compile(
    "(?P<layer>.+?)(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, pattern in SUFFIXES.items())
    + ")"
)

REFUSED = (
    (r".*\.lambda_layer(\..*)?", "a T-LoRA, whose rank depends on the time step"),
    (r".*\.reshape_weight", "a LoRA that makes layers larger, as a control LoRA does"),
    (r".*\.boft_[Rs](\..*)?", "a BOFT of PEFT"),
    (r".*\.oft_[Rrs](\..*)?", "an OFT of PEFT"),
    (r".*\.(vera_lambda_[bd]|vera_[AB])(\..*)?", "a VeRA"),
    (r".*\.(diff|hada|lora)_?.*\.fourierft_.*", "a FourierFT"),
)
"""Kinds of adapters that are not supported: patterns of their names, and what they
are."""


def parted(name: str) -> tuple[str, str] | None:
    """Return the layer and the suffix, in one word, that the name of a tensor says."""
    found = PATTERN.fullmatch(name)
    if found is None:
        return None
    suffix = next(key for key in SUFFIXES if found[key] is not None)
    return found["layer"].replace(".processor.to_", ".to_"), suffix


BUNDLED = re.compile(
    r"bundle_emb\.(?P<word>.+?)\.(?P<tensor>string_to_param\..*|clip_[lg]|emb_params)"
)
"""The names of learned words that come with an adapter."""


def refused(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Return why an adapter is not supported, in words; None where it may be."""
    for name, shape in shapes.items():
        for pattern, title in REFUSED:
            if re.fullmatch(pattern, name):
                return f"{title} ('{shortened(name)}'), which is not supported"
        if name.endswith(".oft_blocks") and len(shape) == 4:
            return f"a BOFT ('{shortened(name)}'), which is not supported"
    return None
