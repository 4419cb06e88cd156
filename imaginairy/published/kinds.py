"""What kind of weights a file holds, told by the names of its tensors, for messages."""

import re
from collections.abc import Collection

from imaginairy.log import shortened

NAMES_SHOWN = 3
KINDS: tuple[tuple[str, str], ...] = (
    ("a GFPGAN, which restores faces", r"stylegan_decoder\."),
    ("a CodeFormer, which restores faces", r"quantize\.embedding\.weight"),
    (
        "a whole Stable Diffusion checkpoint",
        r"model\.diffusion_model\.|first_stage_model\.|cond_stage_model\.",
    ),
    ("a LoRA", r"lora_(up|down|A|B)\.|lora_(unet|te\d?)_"),
    ("a ControlNet", r"control_model\.|controlnet_"),
    ("a UNet of a diffusion model", r"(input|down)_blocks\.0\."),
    ("an autoencoder of a diffusion model", r"decoder\.(up|up_blocks|mid_block)\."),
    (
        "a discriminator, which only training needs",
        r"conv\d\.weight_orig|conv0_0\.|classifier\.0\.|net_d\.",
    ),
    ("an upscaler of SPSR's design", r"f_HR_conv0\.|b_fea_conv\."),
    (
        "an upscaler of ESRGAN+'s design, with connections that ESRGAN lacks",
        r"(RDB|rdb)\d\.conv1x1\.",
    ),
    ("an upscaler of HAT's design", r"layers\.\d+\.residual_group\.overlap_attn\."),
    ("an upscaler of Swin2SR's design", r"layers\.\d+\.residual_group\..*\.cpb_mlp\."),
    ("an upscaler of SwinIR's design", r"layers\.\d+\.residual_group\."),
    ("an upscaler of DAT's or RGT's design", r"before_RG\."),
    ("an upscaler of SPAN's design", r"block_1\.c1_r\."),
    ("an upscaler of OmniSR's design", r"residual_layer\.0\.residual_layer\."),
    ("an upscaler of Real-CUGAN's design", r"unet1\.conv1\."),
    ("an upscaler of PLKSR's design", r"feats\.0\."),
    ("an upscaler of EDSR's or RCAN's design", r"tail\.0\.0\.|head\.0\.weight"),
)
"""What a file holds, and what a name of such a file, or a part of one, begins with; the
first that fits."""

UPSCALERS: tuple[tuple[str, str], ...] = (
    ("an upscaler of ESRGAN's design", r"(body|RRDB_trunk|sub)\.\d+\.(rdb|RDB)1\."),
    ("an upscaler of Real-ESRGAN's compact design", r"body\.\d+\.(weight|bias)$"),
)
"""The same, of those that can be used."""

FINISHERS = (
    *(row for row in KINDS if re.match("a GFPGAN|a CodeFormer|an upscaler", row[0])),
    *UPSCALERS,
)
"""The same, of what works on finished pictures, whether it can be used or not."""


def known_kind(
    names: Collection[str], kinds: tuple[tuple[str, str], ...] = KINDS
) -> str | None:
    """Return what a file holds that is none of our upscalers, where that is known."""
    for kind, start in kinds:
        pattern = re.compile(rf"(^|\.)({start})")
        if any(pattern.search(name) for name in names):
            return kind
    return None


def kind_of(names: Collection[str]) -> str:
    """Return what a file holds, or at least how its tensors are named."""
    first = [shortened(name) for name in list(names)[:NAMES_SHOWN]]
    shown = ", ".join(f"'{name}'" for name in first)
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    unknown = f"weights of an unknown design (tensors {shown}{more})"
    return known_kind(names, (*KINDS, *UPSCALERS)) or unknown
