"""Models of other families are refused as what they are, from headers alone.

Those of diffusers are asked of its classes, which is how it names tensors in files.
"""

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from imaginairy.families.other_models import OTHER_MODELS, OTHER_PIPELINES
from imaginairy.families.table import only_supported
from tests.support.checkpoints import refusal, write_hollow

INSTEAD = "; give z-image-turbo, flux2-klein-4b, flux1-schnell or chroma1-hd in its"
KIN = "a kin of Flux.1 such as Bria, Ovis-Image or LongCat-Image"
ONE = {"num_layers": 1}
TWO = {**ONE, "num_single_layers": 1}
CLASSES: dict[str, tuple[dict[str, Any], str]] = {
    "QwenImageTransformer2DModel": (ONE, "Qwen-Image"),
    "HiDreamImageTransformer2DModel": (
        {
            **TWO, "patch_size": 2, "caption_channels": [8, 8], "llama_layers": [0],
            "text_emb_dim": 8, "axes_dims_rope": (4, 4, 4), "max_resolution": (8, 8),
        },
        "HiDream",
    ),
    "SanaTransformer2DModel": (ONE, "Sana"),
    "WanTransformer3DModel": (ONE, "Wan, which makes videos"),
    "LTXVideoTransformer3DModel": (ONE, "LTX-Video, which makes videos"),
    "HunyuanImageTransformer2DModel": (
        {**TWO, "num_refiner_layers": 1}, "HunyuanImage",
    ),
    "HunyuanVideoTransformer3DModel": (
        {**TWO, "num_refiner_layers": 1}, "HunyuanVideo, which makes videos",
    ),
    "HunyuanDiT2DModel": (
        {**ONE, "in_channels": 4, "patch_size": 2, "sample_size": 16, "mlp_ratio": 4},
        "HunyuanDiT",
    ),
    "AuraFlowTransformer2DModel": (
        {"num_mmdit_layers": 1, "num_single_dit_layers": 1}, "AuraFlow",
    ),
    "LuminaNextDiT2DModel": (
        {**ONE, "sample_size": 16, "num_kv_heads": 8, "ffn_dim_multiplier": 1.0},
        "Lumina-Next",
    ),
    "Lumina2Transformer2DModel": ({**ONE, "num_refiner_layers": 1}, "Lumina 2"),
    "PixArtTransformer2DModel": (ONE, "PixArt"),
    "CogView4Transformer2DModel": (ONE, "CogView"),
    "CogVideoXTransformer3DModel": (ONE, "CogVideoX, which makes videos"),
    "MochiTransformer3DModel": (ONE, "Mochi, which makes videos"),
    "CosmosTransformer3DModel": (ONE, "Cosmos, which makes videos"),
    "SD3Transformer2DModel": (ONE, "Stable Diffusion 3"),
    "BriaTransformer2DModel": (TWO, KIN),
    "OvisImageTransformer2DModel": (TWO, KIN),
    "LongCatImageTransformer2DModel": (TWO, KIN),
    "AutoencoderKLWan": ({}, "an autoencoder (VAE) for Wan or Qwen-Image"),
}  # fmt: skip
AUTHORS: dict[str, dict[str, tuple[int, ...]]] = {
    "Sana": {"blocks.0.mlp.inverted_conv.conv.weight": (8, 8, 1, 1)},
    "Wan, which makes videos": {
        "blocks.0.cross_attn.norm_k.weight": (8,),
        "text_embedding.0.weight": (8, 8),
    },
    "LTX-Video, which makes videos": {
        "model.diffusion_model.patchify_proj.weight": (8, 8),
        "model.diffusion_model.transformer_blocks.0.scale_shift_table": (6, 8),
    },
    "HunyuanImage": {
        "double_blocks.0.img_attn.qkv.weight": (24, 8),
        "txt_in.individual_token_refiner.blocks.0.norm1.weight": (8,),
        "img_in.proj.weight": (8, 64, 1, 1),
    },
    "HunyuanVideo, which makes videos": {
        "double_blocks.0.img_attn.qkv.weight": (24, 8),
        "txt_in.individual_token_refiner.blocks.0.norm1.weight": (8,),
        "img_in.proj.weight": (8, 16, 1, 2, 2),
    },
    "AuraFlow": {
        "model.register_tokens": (1, 8, 8),
        "model.double_layers.0.attn.w1q.weight": (8, 8),
    },
    "PixArt": {"t_block.1.weight": (8, 8), "x_embedder.proj.weight": (8, 4, 2, 2)},
    "OmniGen 2": {"ref_image_refiner.0.attn.to_q.weight": (8, 8)},
    "Lumina-Next": {"layers.0.attention.gate": (8,)},
    "Stable Cascade": {"clip_txt_mapper.weight": (8, 8)},
    "Kolors, whose UNet reads ChatGLM": {"encoder_hid_proj.weight": (2048, 4096)},
    "ERNIE-Image": {"layers.0.adaLN_sa_ln.weight": (8,)},
    "Kandinsky 5, which makes videos": {
        "visual_transformer_blocks.0.self_attention.to_query.weight": (8, 8)
    },
}
"""Names that the files of a model's authors have, and ComfyUI's."""


def assert_refused(file: Path, title: str) -> None:
    said = refusal(file)
    assert said.startswith(f"'{file}' is {title}"), said
    of_videos = "videos" in title and only_supported() in said
    assert of_videos or "; give " in said or INSTEAD in said


@pytest.mark.parametrize("name", CLASSES)
def test_what_diffusers_saves_is_named(name: str, tmp_path: Path) -> None:
    sizes, title = CLASSES[name]
    with torch.device("meta"):
        network = getattr(diffusers, name)(**sizes)
    shapes = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    file = tmp_path / "x.safetensors"
    write_hollow(file, shapes)
    assert_refused(file, title)


@pytest.mark.parametrize("title", AUTHORS)
def test_what_its_authors_saved_is_named(title: str, tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    write_hollow(file, AUTHORS[title])
    assert_refused(file, title)


def test_all_are_tried() -> None:
    tried = {*(title for _, title in CLASSES.values()), *AUTHORS}
    assert {kind.title.format(kind.families[0][0]) for kind in OTHER_MODELS} <= tried


@pytest.mark.parametrize(
    ("pipeline", "title"),
    [
        ("QwenImagePipeline", "Qwen-Image"),
        ("HunyuanVideoPipeline", "HunyuanVideo, which makes videos"),
        ("KolorsPipeline", "Kolors, whose UNet reads ChatGLM"),
        ("BriaPipeline", "a kin of Flux.1"),
    ],
)
def test_a_folder_is_named_by_its_class(
    pipeline: str, title: str, tmp_path: Path
) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    for part in ("transformer", "vae", "text_encoder"):
        (tmp_path / part).mkdir()
        stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        write_hollow(tmp_path / part / f"{stem}.safetensors", {"x.weight": (8, 8)})
    said = refusal(tmp_path)
    assert f"is of a {pipeline}, {title}; {only_supported()}." in said
    assert title in dict(OTHER_PIPELINES).values()
