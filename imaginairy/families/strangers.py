"""What files hold that no family draws with: told by names and shapes alone.

Adapters, single parts of models, and models of families that are not supported. The
table is asked where no family takes a file for its own, and each row stands before
those that it resembles. What finishes a picture stands in `published.kinds`.
"""

import re

from imaginairy.families.adapter_kinds import ADAPTERS, family_said
from imaginairy.families.family import Header
from imaginairy.families.other_models import (
    INSTEAD,
    OTHER_MODELS,
    OTHER_PIPELINES,
    OTHERS_PREDICT,
    other,
)
from imaginairy.families.signs import (
    CHROMA,
    CONTEXTS,
    FLUX1,
    FLUX2,
    LUMINA,
    READS_TEXT,
    SD1,
    SD3,
    SDXL,
    ZIMAGE,
    Kind,
    Sign,
    Stranger,
    names,
    widths,
)
from imaginairy.samplers.prediction import Prediction

WHOLE = "give a file that holds all of it, or its folder in the diffusers layout"
ALONE = f"which is one part of a model; {WHOLE}"
BESIDE_A_MODEL = "which is one part of a model; give it as --vae beside one"
READS_BESIDE = "which is one part of a model; give it as --text-encoder beside one"
OVER = (
    "which is one part of a model; give it over a model that has the others, as "
    "--model FILE+sdxl"
)
BESIDE_IT = "whose text encoder and autoencoder have to lie beside it"
"""Of what a family draws with, once it has these."""
MISTRAL = "which reads texts by Mistral; give a Flux.2 [klein]"
HINTED = "whose transformer sees a hint; give flux1-schnell, or sdxl with --control"
LOOKS = "which looks at pictures and draws none"

LABELS = r"(label_emb\.0\.0|add_embedding\.linear_1|class_embedding\.linear_1)\.weight$"
UNET = r"^(model\.diffusion_model\.|diffusion_model\.|unet\.)?"
FIRST = UNET + r"(input_blocks\.0\.0|conv_in)\.weight$"
BLOCK = UNET + r"(input_blocks\.1\.0\.in_layers\.2|down_blocks\.0\.resnets\.0\.conv1)"
FLUX1_BLOCKS = (
    r"double_blocks\.0\.img_attn\.qkv\.|single_transformer_blocks\.0\.proj_mlp\.weight$"
)


MODELS = (
    *OTHER_MODELS,
    other("Chroma Radiance", *names(r"distilled_guidance_layer\.", r"nerf_blocks\.")),
    other(CHROMA, *names(r"(^|\.)distilled_guidance_layer\."), advice=BESIDE_IT),
    *(
        other(f"{FLUX2} [{kind}]",
              *names(r"double_stream_modulation_img\.lin(ear)?\.weight$"),
              Sign(r"(txt_in|context_embedder)\.weight$", 1, (width,)), advice=advice)
        for kind, width, advice in (
            ("klein 4B", 7680, BESIDE_IT),
            ("klein 9B", 12288, BESIDE_IT),
            ("dev", 15360, MISTRAL),
        )
    ),
    other(FLUX2, *names(r"double_stream_modulation_img\.lin(ear)?\.weight$"),
          advice=BESIDE_IT),
    *(
        other(f"{FLUX1} [{kind}]", *names(FLUX1_BLOCKS), *signs,
              advice=advice)
        for kind, signs, advice in (
            ("Fill", (Sign(r"(img_in|x_embedder)\.weight$", 1, (384,)),), BESIDE_IT),
            ("Canny or Depth", (Sign(r"(img_in|x_embedder)\.weight$", 1, (128,)),),
             HINTED),
            ("dev", names(r"guidance_(in\.in_layer|embedder\.linear_1)\."), BESIDE_IT),
            ("schnell", (), BESIDE_IT),
        )
    ),
    other("Z-Image Omni", *names(r"cap_embedder\.1\.weight$", r"siglip_embedder\.")),
    other(ZIMAGE, Sign(r"cap_embedder\.1\.weight$", 0, (3840,)), advice=BESIDE_IT),
    other(LUMINA, Sign(r"cap(tion)?_embedder\.1\.weight$", 0, (2304,)),
          *names(r"noise_refiner\.0\."), advice=INSTEAD),
    other(SD3, *names(r"(^|\.)joint_blocks\.0\."), advice=INSTEAD),
    other(SD3, *names(r"^transformer_blocks\.0\.attn\.add_k_proj\.", r"^pos_embed\."),
          advice=INSTEAD),
    other("Stable Video Diffusion, which makes videos",
          *names(r"time_mixer|temporal_transformer_blocks|time_stack\.")),
    other("Stable Video Diffusion, which makes videos", Sign(LABELS, 1, (768,)),
          *names(BLOCK)),
    other("Stable unCLIP, which varies a picture", Sign(LABELS, 1, (1536, 2048)),
          Sign(READS_TEXT, 1, (1024,))),
    other("the x4 upscaler of Stable Diffusion 2", Sign(FIRST, 1, (7,)), *names(BLOCK)),
    Kind(
        "mixture", "a UNet of one family with the text encoder of another",
        names(BLOCK, r"^(conditioner|cond_stage_model\.model)\."), advice=WHOLE,
    ),
)  # fmt: skip
"""Models of families that are not supported, whole or not: files of them hold mostly
the network alone that draws."""

PREDICT: tuple[tuple[str, Prediction], ...] = (
    *((family, "flow") for family in (CHROMA, FLUX1, FLUX2, ZIMAGE, LUMINA, SD3)),
    ("Stable Video Diffusion", "v"),
    ("Stable unCLIP", "v"),
    ("the x4 upscaler", "v"),
    ("CosXL Edit", "v"),
    ("an InstructPix2Pix", "noise"),
    *OTHERS_PREDICT,
)
"""How the titles of such models begin, and what their networks predict."""

OPEN_CLIP = r"(^|\.)transformer\.resblocks\.0\.attn\.in_proj_weight$"
T5 = r"(^|\.)(encoder\.block\.0\.layer\.0\.SelfAttention\.|enc\.blk\.0\.attn_)q\.w"
WORDS = r"(^|\.)(embed_tokens|token_embd)\.weight$"
TOKENS = r"(^|\.)(text_model\.)?embeddings\.token_embedding\.weight$"
CLIPS = {768: "CLIP-L", 1024: "OpenCLIP-H", 1280: "OpenCLIP-bigG"}
DECODER = r"(^|\.)decoder\.(up\.\d|up_blocks\.\d|mid\.block_1|mid_block\.resnets)"
TINY = r"^((taesd_)?(encoder|decoder)\.(layers\.)?)?[13]\.conv\.0\.weight$"
TINY_LATENTS = r"^(decoder\.(layers\.)?0|(taesd_)?decoder\.1|1)\.weight$"
LATENTS = r"(^|\.)decoder\.conv_in\.weight$"
PARTS = (
    Kind(
        "parts", "the autoencoder and the text encoder of a model without its UNet",
        names(r"^first_stage_model\.", r"^(cond_stage_model|conditioner)\."),
        advice=WHOLE,
    ),
    Kind(
        "text encoders", "both text encoders of Stable Diffusion XL",
        names(r"^conditioner\.embedders\.0\.", r"^conditioner\.embedders\.1\."),
        ((SDXL, ()),), "both text encoders of {}", READS_BESIDE,
    ),
    Kind(
        "UNet", "the UNet of a diffusion model", names(BLOCK),
        widths(READS_TEXT, 1, CONTEXTS), "the UNet of {} alone", OVER,
    ),
    Kind(
        "tiny autoencoder", "a TAESD, a tiny autoencoder", names(TINY),
        widths(TINY_LATENTS, 1, {4: f"{SD1}, 2.x or XL", 16: f"{FLUX1} or {SD3}"}),
        "a TAESD, a tiny autoencoder, for {}", BESIDE_A_MODEL,
    ),
    Kind(
        "autoencoder", "an autoencoder (VAE) for Wan or Qwen-Image",
        names(r"(^|\.)decoder\.(middle\.0\.residual\.0|mid_block\.resnets\.0\.norm1)"
              r"\.gamma$"),
        advice="which are not supported; give the VAE of another model",
    ),
    Kind(
        "autoencoder", "an autoencoder (VAE)", names(DECODER),
        widths(LATENTS, 1, {
            4: f"{SD1}, 2.x or XL",
            16: f"{FLUX1}, {SD3} or {ZIMAGE}",
            32: FLUX2,
        }),
        "an autoencoder (VAE) for {}", BESIDE_A_MODEL,
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
        "a text encoder ({})", READS_BESIDE,
    ),
    Kind(
        "text encoder", "a text encoder of T5's kind", names(T5),
        widths(T5, 1, {4096: "T5-XXL"}),
        "a text encoder ({})", READS_BESIDE,
    ),
    Kind(
        "text encoder", "a text encoder of Qwen3's kind",
        names(r"(^|\.)(layers\.0\.self_attn\.q_norm|blk\.0\.attn_q_norm)\.weight$",
              WORDS),
        widths(WORDS, 1, {2560: "Qwen3-4B", 4096: "Qwen3-8B"}),
        "a text encoder ({})", READS_BESIDE,
    ),
    Kind(
        "language model", "a language model",
        names(r"(^|\.)(layers\.0\.self_attn\.q_proj|blk\.0\.attn_q)\.", WORDS),
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
        "safety checker", "a safety checker of Stable Diffusion",
        names(r"^special_care_embeds$", r"^concept_embeds$"), advice=LOOKS,
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
    *OTHER_PIPELINES,
    (r"Flux2Klein", FLUX2),
    (r"Flux2", f"{FLUX2} [dev]"),
    (r"FluxFill", f"{FLUX1} [Fill]"),
    (r"FluxControl(?!Net)", f"{FLUX1} [Canny or Depth]"),
    (r"Flux", FLUX1),
    (r"Chroma", CHROMA),
    (r"ZImage", ZIMAGE),
    (r"Lumina", LUMINA),
    (r"StableDiffusion3", SD3),
    (r"StableVideoDiffusion", "Stable Video Diffusion, which makes videos"),
    (r"StableUnCLIP", "Stable unCLIP, which varies a picture"),
    (r"StableDiffusion(Latent)?Upscale", "an upscaler of Stable Diffusion 2"),
)
"""What the class in a `model_index.json` holds, and what such a folder is."""


def stranger(header: Header) -> Stranger | None:
    """Return what a model's header shows that no family knows, where that is known."""
    if header.index:
        said = str(header.index.get("_class_name", ""))
        found = (title for part, title in PIPELINES if re.search(part, said))
        title = next(found, None)
        if title is None:
            return None
        return Stranger("model", title, title, predicts=predicted(title))
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
    predicts = predicted(title) if kind in MODELS else None
    return Stranger(kind.name, family, title, kind.advice, predicts)


def predicted(title: str) -> Prediction | None:
    """Return what the network of a model predicts, where that is known."""
    return next((says for start, says in PREDICT if title.startswith(start)), None)
