"""What files hold that no family draws with: told by names and shapes alone.

Adapters, single parts of models, and models of families that are not supported. The
table is asked where no family takes a file for its own, and each row stands before
those that it resembles. What finishes a picture stands in `published.kinds`.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from imaginairy.families.family import Header, Shape

SD1, SD2 = "Stable Diffusion 1.x", "Stable Diffusion 2.x"
SDXL, REFINER = "Stable Diffusion XL (SDXL)", "the refiner of Stable Diffusion XL"
SD3 = "Stable Diffusion 3"
FLUX1, FLUX2, CHROMA = "Flux.1", "Flux.2", "Chroma"
ZIMAGE, LUMINA = "Z-Image", "Lumina 2"

BESIDE = (
    "which works beside a model and is not supported yet; give the model without it"
)
WHOLE = "give a file that holds all of it, or its folder in the diffusers layout"
ALONE = f"which is one part of a model; {WHOLE}"
LOOKS = "which looks at pictures and draws none"


@dataclass(frozen=True)
class Sign:
    """A tensor that is there."""

    name: str
    """Pattern of a part of its name."""
    axis: int = 0
    sizes: Collection[int] = ()
    """What it may measure along that axis; anything where there are none."""

    def is_in(self, shapes: Mapping[str, Shape]) -> bool:
        """Tell whether there is such a tensor."""
        found = filter(re.compile(self.name).search, shapes)
        return any(
            not self.sizes or {*shapes[name][self.axis :][:1]} & {*self.sizes}
            for name in found
        )


Signs = tuple[Sign, ...]
"""Tensors that are all there."""


@dataclass(frozen=True)
class Kind:
    """What a file can hold."""

    name: str
    """What it is called where its family stands beside it."""
    title: str
    """The same with its article, where the family is not known."""
    signs: Signs
    families: tuple[tuple[str, Signs], ...] = ()
    """The families that it may be of, and by what each is told."""
    of: str = ""
    """The title with `{}` for the family, where one is told."""
    advice: str = ""
    """What follows in a refusal; nothing where it is a model of another family."""
    says_family: bool = False
    """Whether its metadata may say the family; see `SAID`."""


@dataclass(frozen=True)
class Stranger:
    """What a file is that no family draws with."""

    kind: str
    family: str | None
    title: str
    """What it is, with its article, for the middle of a sentence."""
    advice: str = ""
    """What follows in a refusal; nothing where it is a model of another family."""


def names(*patterns: str) -> Signs:
    """Return signs of which each is a name."""
    return tuple(map(Sign, patterns))


def widths(
    pattern: str, axis: int, of: Mapping[int, str]
) -> tuple[tuple[str, Signs], ...]:
    """Tell families by what a tensor measures along an axis."""
    return tuple(
        (family, (Sign(pattern, axis, (size,)),)) for size, family in of.items()
    )


CONTEXTS = {768: SD1, 1024: SD2, 2048: SDXL, 1280: REFINER}
"""How wide the text is that a UNet reads."""
LABELS = r"(label_emb\.0\.0|add_embedding\.linear_1|class_embedding\.linear_1)\.weight$"
DOWN = r"(lora_down|lora_A|lora\.down|_lora\.down|lora_linear_layer\.down)(\.default)?"
UP = r"(lora_up|lora_B|lora\.up|_lora\.up|lora_linear_layer\.up)(\.default)?"
UNET = r"^(model\.diffusion_model\.|diffusion_model\.|unet\.)?"
FIRST = UNET + r"(input_blocks\.0\.0|conv_in)\.weight$"
BLOCK = UNET + r"(input_blocks\.1\.0\.in_layers\.2|down_blocks\.0\.resnets\.0\.conv1)"
DIT = r"(layers|noise_refiner|context_refiner)[._]\d+[._](attention|feed_forward)"
READS_TEXT = r"attn2\.to_k\.weight$"
FLUX1_BLOCKS = (
    r"double_blocks\.0\.img_attn\.qkv\.|single_transformer_blocks\.0\.proj_mlp\.weight$"
)

OF_ADAPTERS = (
    (FLUX2, names(r"double_stream_modulation|to_qkv_mlp_proj|ff(_context)?[._]linear")),
    (FLUX2, (Sign(rf"double_blocks.*img_mlp[._]0\.{UP}", 0, (18432, 24576, 36864)),)),
    (CHROMA, names(r"distilled_guidance_layer")),
    (SD3, names(r"joint_blocks")),
    (SD3, (Sign(rf"transformer_blocks.*attn[._]to_q\.{DOWN}", 1, (1536, 2432)),)),
    (FLUX1, names(r"double_blocks|single_blocks|single_transformer_blocks")),
    (LUMINA, (Sign(rf"{DIT}.*{DOWN}", 1, (2304,)),)),
    (ZIMAGE, names(DIT)),
    *widths(rf"attn2[._](processor[._])?to_[kv].*{DOWN}", 1, CONTEXTS),
    (SDXL, names(r"lora_te2_|text_encoder_2\.")),
    (SDXL, names(r"blocks?[._].*transformer_blocks[._][2-9]")),
    *widths(
        rf"(lora_te|text_encoder).*self_attn[._][qkv]_proj.*{DOWN}", 1,
        {768: SD1, 1024: SD2, 1280: REFINER},
    ),
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
        BESIDE, says_family=True,
    )  # fmt: skip


def other(family: str, *signs: Sign, advice: str = "") -> Kind:
    """Return a row of a model of another family."""
    return Kind("model", family, signs, ((family, ()),), "{}", advice)


ADAPTERS = (
    Kind(
        "ControlNet", "a Control-LoRA", names(r"^lora_controlnet$"),
        widths(r"attn2\.to_k\.down", 1, CONTEXTS), "a Control-LoRA for {}", BESIDE,
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
        "a ControlNet for {}", BESIDE,
    ),
    lora("LoHa", "a LoHa, a kind of LoRA,", r"\.hada_w[12]_[ab]$"),
    lora("LoKr", "a LoKr, a kind of LoRA,", r"\.lokr_w[12](_[ab])?$"),
    lora("OFT", "an OFT, a kind of LoRA,", r"\.oft_(blocks|diag)$"),
    lora("(IA)^3", "an (IA)^3, a kind of LoRA,", r"\.on_input$"),
    lora("GLoRA", "a GLoRA, a kind of LoRA,", r"\.b2\.weight$"),
    lora(
        "LoRA", "a LoRA", rf"(^|\.|_)({DOWN}|{UP})\.?", r"\.dora_scale$",
        r"^(lora_(unet|te\d?|transformer)|lycoris)_.*\.(diff|diff_b|alpha|set_weight)$",
    ),
    Kind(
        "textual inversion", "a textual inversion",
        names(r"^emb_params$|^string_to_param\.|^<[^<>]+>$|^clip_[gl]$"),
        (
            (SDXL, names(r"^clip_l$", r"^clip_g$")),
            *widths(r"^emb_params$|^string_to_param\.|^<[^<>]+>$|^clip_g$", -1,
                    {768: SD1, 1024: SD2, 1280: REFINER}),
        ),
        "a textual inversion for {}", BESIDE, says_family=True,
    ),
    Kind(
        "hypernetwork", "a hypernetwork",
        names(r"^(320|640|768|1024|1280)\.[01]\.linear\.0\.weight$"),
        ((SD1, names(r"^768\.")), (SD2, names(r"^1024\."))),
        "a hypernetwork for {}", BESIDE,
    ),
    Kind(
        "IP-Adapter", "an IP-Adapter", names(r"(^|\.)to_k_ip\.weight$"),
        widths(r"to_k_ip\.weight$", 1, CONTEXTS), "an IP-Adapter for {}", BESIDE,
    ),
    Kind(
        "T2I-Adapter", "a T2I-Adapter",
        names(r"^(adapter\.)?body\.\d+\.((resnets|body)\.\d+\.)?block1\.weight$"),
        tuple(
            (family, (Sign(r"^(adapter\.)?(body\.0\.)?(conv_in|in_conv)\.weight$",
                           1, inputs),))
            for family, inputs in ((SD1, (64, 192)), (SDXL, (256, 768)))
        ),
        "a T2I-Adapter for {}", BESIDE,
    ),
    Kind(
        "motion module", "a motion module of AnimateDiff, for videos",
        names(r"motion_modules\.\d+\."), advice=BESIDE,
    ),
)  # fmt: skip
"""What changes a model, and is none."""

MODELS = (
    other("Chroma Radiance", *names(r"distilled_guidance_layer\.", r"nerf_blocks\.")),
    other(CHROMA, *names(r"(^|\.)distilled_guidance_layer\.")),
    *(
        other(f"{FLUX2} [{kind}]",
              *names(r"double_stream_modulation_img\.lin(ear)?\.weight$"),
              Sign(r"(txt_in|context_embedder)\.weight$", 1, (width,)))
        for kind, width in (("klein 4B", 7680), ("klein 9B", 12288), ("dev", 15360))
    ),
    other(FLUX2, *names(r"double_stream_modulation_img\.lin(ear)?\.weight$")),
    *(
        other(f"{FLUX1} [{kind}]", *names(FLUX1_BLOCKS), *signs)
        for kind, signs in (
            ("Fill", (Sign(r"(img_in|x_embedder)\.weight$", 1, (384,)),)),
            ("Canny or Depth", (Sign(r"(img_in|x_embedder)\.weight$", 1, (128,)),)),
            ("dev", names(r"guidance_(in\.in_layer|embedder\.linear_1)\.")),
            ("schnell", ()),
        )
    ),
    other("Z-Image Omni", *names(r"cap_embedder\.1\.weight$", r"siglip_embedder\.")),
    other(ZIMAGE, Sign(r"cap_embedder\.1\.weight$", 0, (3840,))),
    other(LUMINA, Sign(r"cap_embedder\.1\.weight$", 0, (2304,)),
          *names(r"noise_refiner\.0\.")),
    other(SD3, *names(r"(^|\.)joint_blocks\.0\.")),
    other(SD3, *names(r"^transformer_blocks\.0\.attn\.add_k_proj\.", r"^pos_embed\.")),
    other("Stable Video Diffusion, which makes videos",
          *names(r"time_mixer|temporal_transformer_blocks|time_stack\.")),
    other("Stable Video Diffusion, which makes videos", Sign(LABELS, 1, (768,)),
          *names(BLOCK)),
    other("Stable unCLIP, which varies a picture", Sign(LABELS, 1, (1536, 2048)),
          Sign(READS_TEXT, 1, (1024,))),
    other("the x4 upscaler of Stable Diffusion 2", Sign(FIRST, 1, (7,)), *names(BLOCK)),
    other("a model of Stable Diffusion led by depth", Sign(FIRST, 1, (5,)),
          *names(BLOCK)),
    other("an InstructPix2Pix model, which edits a picture", Sign(FIRST, 1, (8,)),
          *names(BLOCK)),
    other(REFINER, Sign(FIRST, 0, (384,)), *names(BLOCK)),
    Kind(
        "mixture", "a UNet of one family with the text encoder of another",
        names(BLOCK, r"^(conditioner|cond_stage_model\.model)\."), advice=WHOLE,
    ),
)  # fmt: skip
"""Models of families that are not supported, whole or not: files of them hold mostly
the network alone that draws."""

OPEN_CLIP = r"(^|\.)transformer\.resblocks\.0\.attn\.in_proj_weight$"
TOKENS = r"(^|\.)text_model\.embeddings\.token_embedding\.weight$"
CLIPS = {768: "CLIP-L", 1024: "OpenCLIP-H", 1280: "OpenCLIP-bigG"}
PARTS = (
    Kind(
        "parts", "the autoencoder and the text encoder of a model without its UNet",
        names(r"^first_stage_model\.", r"^(cond_stage_model|conditioner)\."),
        advice=WHOLE,
    ),
    Kind(
        "UNet", "the UNet of a diffusion model", names(BLOCK),
        widths(READS_TEXT, 1, CONTEXTS), "the UNet of {} alone", ALONE,
    ),
    Kind(
        "tiny autoencoder", "a TAESD, a tiny autoencoder",
        names(r"^((taesd_)?(encoder|decoder)\.(layers\.)?)?[13]\.conv\.0\.weight$"),
        widths(r"^(decoder\.(layers\.)?0|decoder\.1|1)\.weight$", 1,
               {4: f"{SD1}, 2.x or XL", 16: f"{FLUX1} or {SD3}"}),
        "a TAESD, a tiny autoencoder, for {}", ALONE,
    ),
    Kind(
        "autoencoder", "an autoencoder (VAE)",
        names(r"(^|\.)decoder\.(up\.\d|up_blocks\.\d|mid\.block_1|mid_block\.resnets)"),
        widths(r"(^|\.)decoder\.conv_in\.weight$", 1, {
            4: f"4 channels, as {SD1}, 2.x and XL have",
            16: f"16 channels, as {FLUX1}, {SD3} and {ZIMAGE} have",
            32: f"32 channels, as {FLUX2} has",
        }),
        "an autoencoder (VAE) of {}", ALONE,
    ),
    Kind(
        "image encoder", "an image encoder of CLIP",
        names(r"(^|\.)vision_model\.embeddings\.patch_embedding\.weight$"),
        advice=ALONE,
    ),
    Kind(
        "text encoder", "a text encoder of CLIP's kind",
        names(rf"{TOKENS}|{OPEN_CLIP}"),
        (*widths(TOKENS, 1, CLIPS), *widths(OPEN_CLIP, 1, CLIPS)),
        "a text encoder ({})", ALONE,
    ),
    Kind(
        "text encoder", "a text encoder of T5's kind",
        names(r"(^|\.)encoder\.block\.0\.layer\.0\.SelfAttention\.q\.weight$"),
        widths(r"SelfAttention\.q\.weight$", 1, {4096: "T5-XXL"}),
        "a text encoder ({})", ALONE,
    ),
    Kind(
        "text encoder", "a text encoder of Qwen3's kind",
        names(r"(^|\.)layers\.0\.self_attn\.q_norm\.weight$",
              r"(^|\.)embed_tokens\.weight$"),
        widths(r"embed_tokens\.weight$", 1, {2560: "Qwen3-4B", 4096: "Qwen3-8B"}),
        "a text encoder ({})", ALONE,
    ),
    Kind(
        "language model", "a language model",
        names(r"(^|\.)layers\.0\.self_attn\.q_proj\.", r"(^|\.)embed_tokens\.weight$"),
        advice="which writes texts and draws nothing",
    ),
)  # fmt: skip
"""Parts of models, each alone in its file."""

OTHERS = (
    Kind(
        "checkpoint", "a Stable Diffusion 2 or XL checkpoint whose UNet is of neither",
        names(
            r"^model\.diffusion_model\.", r"^(conditioner|cond_stage_model\.model)\."
        ),
    ),
    Kind(
        "mask model", "a CLIPSeg, which masks what words name",
        names(r"^decoder\.film_mul\."), advice=LOOKS,
    ),
    Kind(
        "captioner", "a BLIP, which captions pictures",
        names(r"^text_decoder\.(bert|cls)\."), advice=LOOKS,
    ),
    Kind(
        "CLIP", "a CLIP, which compares pictures with texts",
        names(r"^vision_model\.embeddings\.", r"^text_model\.embeddings\."),
        advice=LOOKS,
    ),
)  # fmt: skip
"""What else is told so that it is not taken for a part of a model."""

KINDS = (*ADAPTERS, *MODELS, *OTHERS, *PARTS)

PIPELINES = (
    (r"Flux2", FLUX2),
    (r"Flux", FLUX1),
    (r"Chroma", CHROMA),
    (r"ZImage", ZIMAGE),
    (r"Lumina", LUMINA),
    (r"StableDiffusion3", SD3),
    (r"StableVideoDiffusion", "Stable Video Diffusion, which makes videos"),
    (r"StableUnCLIP", "Stable unCLIP, which varies a picture"),
    (r"StableDiffusion(Latent)?Upscale", "an upscaler of Stable Diffusion 2"),
    (r"Depth2Img", "a model of Stable Diffusion led by depth"),
    (r"InstructPix2Pix", "an InstructPix2Pix model, which edits a picture"),
    (r"StableDiffusionXL", SDXL),
)
"""What the class in a `model_index.json` holds, and what such a folder is."""


def stranger(header: Header) -> Stranger | None:
    """Return what a model's header shows that no family knows, where that is known."""
    if header.index:
        said = str(header.index.get("_class_name", ""))
        found = (title for part, title in PIPELINES if re.search(part, said))
        title = next(found, None)
        return None if title is None else Stranger("model", title, title)
    for kind in KINDS:
        if all(sign.is_in(header.shapes) for sign in kind.signs):
            return _told(kind, header)
    return None


def _told(kind: Kind, header: Header) -> Stranger:
    families = (
        family
        for family, signs in kind.families
        if all(sign.is_in(header.shapes) for sign in signs)
    )
    said = family_said(header.metadata) if kind.says_family else None
    family = said or next(families, None)
    title = kind.title.rstrip(",") if family is None else kind.of.format(family)
    return Stranger(kind.name, family, title, kind.advice)


def family_said(metadata: Mapping[str, str]) -> str | None:
    """Return the family that an adapter's metadata say it is for."""
    for name in SAY:
        for start, family in SAID:
            if re.match(start, metadata.get(name, "").strip(), re.IGNORECASE):
                return family
    return None
