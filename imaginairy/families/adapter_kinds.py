"""What changes a model and is none: LoRA and its kin, ControlNets, words.

Each row stands before those that it resembles; see `strangers`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from imaginairy.families.family import Family, Shape
from imaginairy.families.signs import (
    CHROMA,
    CONTEXTS,
    FLUX1,
    FLUX2,
    LUMINA,
    READS_TEXT,
    REFINER,
    SD1,
    SD2,
    SD3,
    SDXL,
    ZIMAGE,
    Absent,
    Kind,
    Sign,
    Stranger,
    names,
    widths,
)

SD1_OR_2 = f"{SD1} or 2.x"
"""What has names that only these two have, and no width of a text."""
FLUX1_OR_2 = f"{FLUX1} or {FLUX2}"
"""The same of these two, of which some are as wide."""
BESIDE = (
    "which works beside a model and is not supported yet; give the model without it"
)

FACE_ID = (
    "which reads what a face recogniser says, whose weights may not be used freely; "
    "give a plain, Plus, Plus-Face or full-face IP-Adapter"
)
STYLE = "which reads what CLIP says of a picture and is not supported; give another"

WITH_LORA, WITH_EMBEDDING, WITH_HYPERNETWORK, WITH_CONTROL = (
    f"which works beside a model; give the model, and this with --{option}"
    for option in ("lora", "embedding", "hypernetwork", "control")
)

WITH_IMAGE = (
    "which works beside a model; give the model, and this with an image, as "
    "--image-prompt FILE,adapter=PATH"
)
DOWN = r"(lora_down|lora_A|lora[12]?\.down|lora_linear_layer\.down)(\.default)?"
UP = r"(lora_up|lora_B|lora[12]?\.up|lora_linear_layer\.up)(\.default)?"
DIT = r"(layers|noise_refiner|context_refiner)[._]\d+[._](attention|feed_forward)"
TAKES_IN = rf"({DOWN}|\.hada_w[12]_b$|\.(diff|set_weight)$|\.a[12]\.weight$)"
"""Matrices of which the second axis is as wide as what a layer takes in."""
COMPVIS = r"lora_unet_(input_blocks|output_blocks|middle_block)_"
OUTER = r"lora_unet_(input_blocks_([12]_1|9|10|11)|output_blocks_([678]_1|9|10|11))_"
"""What UNets with attention on every level have, and XL has not, the only one for which
trainers write such names."""
DIT_BLOCK = r"(?<!\d[._])transformer_blocks[._]\d+[._]"
"""A block that is in no block of a UNet."""
ONLY_FLUX1 = (
    r"(img|txt)_mod[._]lin|single_blocks[._]\d+[._]modulation|vector_in|proj_mlp|"
    r"ff_context[._]net|norm1_context[._]linear|"
    r"single_transformer_blocks[._]\d+[._](attn[._]to_[qkv][._]|norm[._]linear)|"
    r"blocks\.\d+\.processor\.(qkv|proj)_lora"
)
"""Layers of Flux.1 and of Chroma that Flux.2 has not, and XLabs' names."""
KEYS = r"(^|\.)to_k_ip\.weight$"
TO_TEXT = r"attn2[._](processor[._])?to_[kv]"


@dataclass(frozen=True)
class Halves(Sign):
    """The two halves of a LoKr, whose sizes are to be multiplied."""

    def is_in(self, shapes: Mapping[str, Shape]) -> bool:
        """Tell whether there is such a pair."""
        for name in filter(re.compile(rf"{self.name}.*\.lokr_w1(_b)?$").search, shapes):
            second = re.sub(r"_w1(_b)?$", "_w2", name)
            found = shapes.get(second) or shapes.get(f"{second}_b") or ()
            one, other = shapes[name][self.axis :][:1], found[self.axis :][:1]
            if one and other and one[0] * other[0] in self.sizes:
                return True
        return False


OF_ADAPTERS = (
    (FLUX2, names(r"double_stream_modulation|to_qkv_mlp_proj|ff(_context)?[._]linear")),
    (FLUX2, (Sign(rf"double_blocks.*img_mlp[._]0\.{UP}", 0, (18432, 24576, 36864)),)),
    (FLUX2, (Sign(rf"single_blocks.*linear1\.{UP}", 0, (27648, 36864, 55296)),)),
    (FLUX2, (Sign(rf"single_blocks.*linear2\.{DOWN}", 1, (12288, 16384, 24576)),)),
    (FLUX2, (Sign(rf"(double|single)_blocks.*{DOWN}", 1, (4096, 6144)),)),
    (CHROMA, names(r"distilled_guidance_layer")),
    (SD3, names(r"joint_blocks")),
    (SD3, (Sign(rf"transformer_blocks.*attn[._]to_q\.{DOWN}", 1, (1536, 2432)),)),
    (FLUX1, names(ONLY_FLUX1)),
    (FLUX1, (Sign(rf"double_blocks.*(img|txt)_mlp[._]0\.{UP}", 0, (12288,)),)),
    (FLUX1, (Sign(rf"{DIT_BLOCK}ff[._]net.*{UP}", 0, (12288,)),)),
    (FLUX1, (Sign(rf"{DIT_BLOCK}ff[._]net.*{DOWN}", 1, (12288,)),)),
    (FLUX1, (Sign(rf"single_blocks.*linear1\.{UP}", 0, (21504,)),)),
    (FLUX1, (Sign(rf"single_blocks.*linear2\.{DOWN}", 1, (15360,)),)),
    (FLUX1_OR_2, names(r"double_blocks|single_blocks|single_transformer_blocks")),
    (
        FLUX1_OR_2,
        (Sign(rf"transformer_blocks[._]\d+[._]attn[._].*{DOWN}", 1, (3072,)),),
    ),
    (LUMINA, (Sign(rf"{DIT}.*{DOWN}", 1, (2304,)),)),
    (ZIMAGE, names(DIT)),
    *widths(rf"{TO_TEXT}.*{TAKES_IN}", 1, CONTEXTS),
    *((family, (Halves(TO_TEXT, 1, (of,)),)) for of, family in CONTEXTS.items()),
    *widths(rf"{TO_TEXT}\.weight$", 0, {768: SD1, 1024: SD2, 2048: SDXL}),
    (SDXL, names(r"lora_te2_|text_encoder_2\.")),
    (SDXL, names(r"blocks?[._].*transformer_blocks[._][1-9]")),
    (SDXL, (*names(COMPVIS), Absent(OUTER))),
    *widths(
        rf"(lora_te_|text_encoder\.).*self_attn[._][qkv]_proj.*{DOWN}", 1,
        {768: SD1, 1024: SD2, 1280: REFINER},
    ),
    (SD1, (Sign(rf"proj_(in|out)\.{DOWN}", 2, (1,)),)),
    (SD2, names(rf"(down_blocks[._]0|up_blocks[._]3)[._]att.*proj_(in|out)\.{DOWN}")),
    (SD1_OR_2, names(rf"down_blocks[._](0[._]attentions|3)|up_blocks[._]3|{OUTER}")),
)  # fmt: skip
"""Told by what an adapter's matrices take in, and by where they belong."""
SAID = (
    (r"stable-diffusion-xl-\S*refiner", REFINER),
    (r"stable-diffusion-xl|sdxl|sd_?xl", SDXL),
    (r"stable-diffusion-v1|sd_?(v?1)", SD1),
    (r"stable-diffusion-v2|sd_?(v?2)", SD2),
    (r"stable-diffusion-3|sd_?3", SD3),
    (r"flux-?\.?2", FLUX2),
    (r"flux", FLUX1),
    (r"chroma", CHROMA),
    (r"z-?image", ZIMAGE),
    (r"lumina-?2", LUMINA),
)
"""How the metadata of an adapter begin to say its family (the `modelspec`, kohya's)."""
SAY = ("modelspec.architecture", "ss_base_model_version")


def lora(name: str, title: str, *patterns: str) -> Kind:
    """Return a row of LoRA's kin."""
    return Kind(
        name, title, names("|".join(patterns)), OF_ADAPTERS, f"{title} for {{}}",
        WITH_LORA, says_family=True,
    )  # fmt: skip


ADAPTERS = (
    Kind(
        "ControlNet", "a Control-LoRA", names(r"^lora_controlnet$"),
        widths(r"attn2\.to_k\.down", 1, CONTEXTS), "a Control-LoRA for {}",
        WITH_CONTROL,
    ),
    Kind(
        "ControlNet", "a ControlNet",
        names(
            r"(^|\.)(control_model|input_hint_block|controlnet_cond_embedding|"
            r"controlnet_(down_blocks|mid_block|blocks|x_embedder))\."
        ),
        (
            *widths(READS_TEXT, 1, CONTEXTS),
            (FLUX1, names(r"double_blocks|single_transformer_blocks|x_embedder")),
        ),
        "a ControlNet for {}", WITH_CONTROL,
    ),
    *(
        Kind(
            "IP-Adapter", "an IP-Adapter FaceID", (*names(KEYS), *signs),
            widths(KEYS, 1, CONTEXTS), "an IP-Adapter FaceID for {}", FACE_ID,
        )
        for signs in (
            names(r"_lora\.(up|down)\.weight$"),
            names(r"image_proj\.perceiver"),
            (*names(r"image_proj\.proj\.2\."), Absent(r"image_proj\.proj\.3\.")),
        )
    ),
    Kind(
        "IP-Adapter", "an IP-Adapter", names(KEYS),
        widths(KEYS, 1, CONTEXTS), "an IP-Adapter for {}", WITH_IMAGE,
    ),
    lora("LoHa", "a LoHa, a kind of LoRA,", r"\.hada_w[12]_[ab]$"),
    lora("LoKr", "a LoKr, a kind of LoRA,", r"\.lokr_w[12](_[ab])?$"),
    lora("OFT", "an OFT, a kind of LoRA,", r"\.oft_(blocks|diag)$"),
    lora("(IA)^3", "an (IA)^3, a kind of LoRA,", r"\.on_input$"),
    lora("GLoRA", "a GLoRA, a kind of LoRA,", r"\.b2\.weight$"),
    lora(
        "LoRA", "a LoRA", rf"(^|\.|_)({DOWN}|{UP})\.?", r"\.dora_scale$",
        r"^(lora_(unet|te\d?|transformer)|lycoris)_.*\.alpha$",
        r"\.(diff|diff_b|set_weight|[wb]_norm)$",
    ),
    Kind(
        "textual inversion", "a textual inversion",
        names(r"^emb_params$|^string_to_param\.|^<[^<>]+>$|^clip_[gl]$"),
        (
            (SDXL, names(r"^clip_l$", r"^clip_g$")),
            *widths(r"^emb_params$|^string_to_param\.|^<[^<>]+>$|^clip_g$", -1,
                    {768: SD1, 1024: SD2, 1280: REFINER}),
        ),
        "a textual inversion for {}", WITH_EMBEDDING, says_family=True,
    ),
    Kind(
        "hypernetwork", "a hypernetwork",
        names(r"^(320|640|768|1024|1280)\.[01]\.linear\.0\.weight$"),
        ((SD1, names(r"^768\.")), (SD2, names(r"^1024\."))),
        "a hypernetwork for {}", WITH_HYPERNETWORK,
    ),
    Kind(
        "T2I-Adapter", "a T2I-Adapter",
        names(r"^(adapter\.)?body\.\d+\.((resnets|body)\.\d+\.)?block1\.weight$"),
        tuple(
            (family, (Sign(r"^(adapter\.)?(body\.0\.)?(conv_in|in_conv)\.weight$",
                           1, inputs),))
            for family, inputs in ((SD1, (64, 192)), (SDXL, (256, 768)))
        ),
        "a T2I-Adapter for {}", WITH_CONTROL,
    ),
    Kind(
        "style adapter", "a style adapter, a kind of T2I-Adapter",
        names(r"^style_embedding$", r"^transformer_layes\."), advice=STYLE,
    ),
    Kind(
        "motion module", "a motion module of AnimateDiff, for videos",
        names(r"motion_modules\.\d+\."), advice=BESIDE,
    ),
)  # fmt: skip
"""What changes a model, and is none."""


def family_said(metadata: Mapping[str, str]) -> str | None:
    """Return the family that an adapter's metadata say it is for."""
    for name in SAY:
        for start, family in SAID:
            if re.match(start, metadata.get(name, "").strip(), re.IGNORECASE):
                return family
    return None


OPTIONS = {
    "textual inversion": "--embedding", "hypernetwork": "--hypernetwork",
    **dict.fromkeys(("ControlNet", "T2I-Adapter"), "--control"),
    "IP-Adapter": "--image-prompt FILE,adapter=PATH",
    **dict.fromkeys(("LoRA", "LoHa", "LoKr", "OFT", "(IA)^3", "GLoRA"), "--lora"),
}  # fmt: skip
"""With which option what changes a model is given."""


def is_kin(told: Stranger | None) -> bool:
    """Tell whether it was told that something is a LoRA or one of its kin."""
    return told is not None and OPTIONS.get(told.kind) == "--lora"


def instead(told: Stranger | None) -> str:
    """Say with which option another adapter is given; nothing where there is none."""
    option = OPTIONS.get(told.kind) if told else None
    return f"; give it with {option}" if option else ""


ROWS = {
    SD1: ("sd1",), SD2: ("sd2",), SD1_OR_2: ("sd1", "sd2"), SDXL: ("sdxl",),
    REFINER: ("sdxl-refiner",), ZIMAGE: ("z-image",), CHROMA: ("chroma",),
    FLUX1: ("flux1", "chroma"), FLUX2: ("flux2",),
    FLUX1_OR_2: ("flux1", "flux2", "chroma"),
}  # fmt: skip
"""What the families that adapters are told to be of are called in the table. Chroma was
made of Flux.1, whose adapters act on it."""


def is_family(told: str, family: Family, *, alone: bool = False) -> bool:
    """Tell whether a family is what an adapter was told to be for.

    Args:
        alone: whether it was to be told of no other.
    """
    rows = ROWS.get(told, ())
    return told == family.title or (family.name in rows and not (alone and rows[1:]))
