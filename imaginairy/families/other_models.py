"""Models of other families that generate images or videos: told by names and shapes.

Each row stands before those that it resembles. Where one goes by two namings, that of
its authors and diffusers', both are told.
"""

from imaginairy.families.signs import Absent, Kind, Sign, names
from imaginairy.samplers.prediction import Prediction

INSTEAD = (
    "which is not supported; give z-image-turbo, flux2-klein-4b, flux1-schnell or "
    "chroma1-hd in its place"
)
"""Of what draws as today's flow transformers do."""
UNET_INSTEAD = "which is not supported; give sdxl in its place"
VIDEOS = "which makes videos"

REFINES_TOKENS = r"(^|\.)(txt_in\.individual_)?token_refiner\.(refiner_)?blocks\.0\."
TAKES_IN = r"(^|\.)(img_in|x_embedder)\.proj\.weight$"
TWO_STREAMS = r"(^|\.)single_transformer_blocks\.0\.proj_mlp\.weight$"
READS_POOLED = r"(^|\.)(vector_in\.|time_text_embed\.text_embedder\.)"


def other(family: str, *signs: Sign, advice: str = "") -> Kind:
    """Return a row of a model of another family."""
    return Kind("model", family, signs, ((family, ()),), "{}", advice)


OTHER_MODELS = (
    other("Qwen-Image", *names(r"(^|\.)txt_norm\.weight$",
                               r"(^|\.)transformer_blocks\.0\.img_mod\.1\."),
          advice=INSTEAD),
    other("HiDream", *names(r"(^|\.)double_stream_blocks\.0\.block\."), advice=INSTEAD),
    other("Sana", *names(r"blocks\.0\.(ff\.conv_inverted|mlp\.inverted_conv)\."),
          advice=INSTEAD),
    other(f"Wan, {VIDEOS}",
          *names(r"(^|\.)blocks\.0\.(cross_attn|attn2)\.norm_k\.weight$",
                 r"(^|\.)(text_embedding\.0|condition_embedder\.text_embedder\.linear_1)"
                 r"\.weight$")),
    other(f"LTX-Video, {VIDEOS}",
          *names(r"(^|\.)(patchify_proj|proj_in)\.weight$",
                 r"(^|\.)transformer_blocks\.0\.scale_shift_table$")),
    other("HunyuanImage", *names(REFINES_TOKENS), Sign(TAKES_IN, 1, (64,)),
          advice=INSTEAD),
    other(f"HunyuanVideo, {VIDEOS}", *names(REFINES_TOKENS)),
    other("HunyuanDiT", *names(r"(^|\.)text_embedding_padding$"), advice=INSTEAD),
    other("AuraFlow", *names(r"(^|\.)register_tokens$",
                             r"(^|\.)(double_layers|joint_transformer_blocks)\.0\."),
          advice=INSTEAD),
    other("OmniGen 2", *names(r"(^|\.)ref_image_refiner\.0\."), advice=INSTEAD),
    other("Lumina-Next", *names(r"(^|\.)layers\.0\.(attention\.|)gate$"),
          advice=INSTEAD),
    other("PixArt", *names(r"(^|\.)(adaln_single\.linear|t_block\.1)\.weight$",
                           r"(^|\.)(pos_embed|x_embedder)\.proj\.weight$"),
          advice=INSTEAD),
    other("CogView", *names(r"(^|\.)patch_embed\.text_proj\.weight$",
                            r"(^|\.)time_condition_embed\."), advice=INSTEAD),
    other(f"CogVideoX, {VIDEOS}", *names(r"(^|\.)patch_embed\.text_proj\.weight$")),
    other(f"Mochi, {VIDEOS}", *names(r"(^|\.)(pos_frequencies|t5_yproj\.weight)$")),
    other(f"Cosmos, {VIDEOS}",
          *names(r"(^|\.)(learnable_pos_embed\.pos_emb_t$|"
                 r"blocks\.0\.adaln_modulation_self_attn\.1\.)")),
    other(f"Kandinsky 5, {VIDEOS}", *names(r"(^|\.)visual_transformer_blocks\.0\.")),
    other("ERNIE-Image", *names(r"(^|\.)layers\.0\.adaLN_sa_ln\.weight$"),
          advice=INSTEAD),
    other("Stable Cascade",
          *names(r"(^|\.)(clip_txt_(pooled_)?mapper|effnet_mapper\.0)\.weight$"),
          advice=UNET_INSTEAD),
    other("Kolors, whose UNet reads ChatGLM",
          Sign(r"(^|\.)encoder_hid_proj\.weight$", 1, (4096,)), advice=UNET_INSTEAD),
    other("a kin of Flux.1 such as Bria, Ovis-Image or LongCat-Image",
          *names(TWO_STREAMS), Absent(READS_POOLED),
          Absent(r"(^|\.)distilled_guidance_layer\."), advice=INSTEAD),
)  # fmt: skip

OTHERS_PREDICT: tuple[tuple[str, Prediction], ...] = (
    *(
        (family, "flow")
        for family in (
            "Qwen-Image", "HiDream", "Sana", "Wan", "LTX-Video", "HunyuanImage",
            "HunyuanVideo", "AuraFlow", "OmniGen 2", "Lumina-Next", "Mochi",
            "Kandinsky 5", "a kin of Flux.1",
        )
    ),
    ("HunyuanDiT", "v"),
    ("CogVideoX", "v"),
    ("PixArt", "noise"),
    ("Kolors", "noise"),
)  # fmt: skip
"""How the titles of such models begin, and what their networks predict."""

OTHER_PIPELINES = (
    (r"QwenImage", "Qwen-Image"),
    (r"HiDream", "HiDream"),
    (r"Sana", "Sana"),
    (r"Wan", f"Wan, {VIDEOS}"),
    (r"LTX", f"LTX-Video, {VIDEOS}"),
    (r"HunyuanImage", "HunyuanImage"),
    (r"HunyuanVideo", f"HunyuanVideo, {VIDEOS}"),
    (r"HunyuanDiT", "HunyuanDiT"),
    (r"AuraFlow", "AuraFlow"),
    (r"OmniGen", "OmniGen"),
    (r"PixArt", "PixArt"),
    (r"CogView", "CogView"),
    (r"CogVideo", f"CogVideoX, {VIDEOS}"),
    (r"Mochi", f"Mochi, {VIDEOS}"),
    (r"Cosmos", f"Cosmos, {VIDEOS}"),
    (r"Kandinsky", "Kandinsky"),
    (r"ErnieImage", "ERNIE-Image"),
    (r"StableCascade|Wuerstchen", "Stable Cascade"),
    (r"Kolors", "Kolors, whose UNet reads ChatGLM"),
    (r"Bria|OvisImage|LongCatImage", "a kin of Flux.1"),
    (r"IF(Img2Img|Inpainting|SuperResolution|$|Pipeline)", "DeepFloyd IF"),
)
"""What the class in a `model_index.json` holds, and what such a folder is."""
