"""What a wrong file is, told by names and shapes, of published files.

`layouts.json` holds a few names and shapes of each: those that tell it, and others.
"""

import json
from pathlib import Path

import pytest
import torch

from imaginairy.families.family import Header, Shape
from imaginairy.families.signs import REFINER, SD1, SD2, SD3, SDXL
from imaginairy.families.strangers import stranger
from imaginairy.families.table import only_supported
from tests.support.checkpoints import refusal, write_hollow

Shapes = dict[str, Shape]
LAYOUTS: dict[str, Shapes] = {
    layout: {name: tuple(shape) for name, shape in tensors.items()}
    for layout, tensors in json.loads(
        Path(__file__).with_name("layouts.json").read_text()
    ).items()
}
OF_4 = f"an autoencoder (VAE) for {SD1}, 2.x or XL"
OF_16 = f"an autoencoder (VAE) for Flux.1, {SD3} or Z-Image"
OF_32 = "an autoencoder (VAE) for Flux.2"
TINY = f"a TAESD, a tiny autoencoder, for {SD1}, 2.x or XL"
TITLES = {
    "sd21_diffusers_unet": f"the UNet of {SD2} alone",
    "sd21_diffusers_text_encoder": "a text encoder (OpenCLIP-H)",
    "sd_vae_diffusers": OF_4,
    "sdxl_diffusers_unet": f"the UNet of {SDXL} alone",
    "sdxl_diffusers_text_encoder": "a text encoder (CLIP-L)",
    "sdxl_diffusers_text_encoder_2": "a text encoder (OpenCLIP-bigG)",
    "sdxl_refiner_diffusers_unet": f"the UNet of {REFINER} alone",
    "controlnet_sd15_single_file": f"a ControlNet for {SD1}",
    "controlnet_sd15_diffusers": f"a ControlNet for {SD1}",
    "controlnet_sdxl_diffusers": f"a ControlNet for {SDXL}",
    "controlnet_union_sdxl_diffusers": f"a ControlNet for {SDXL}",
    "t2i_adapter_sd15_diffusers": f"a T2I-Adapter for {SD1}",
    "t2i_adapter_sd15_original": f"a T2I-Adapter for {SD1}",
    "t2i_adapter_sdxl_diffusers": f"a T2I-Adapter for {SDXL}",
    "t2i_adapter_sdxl_original": f"a T2I-Adapter for {SDXL}",
    "t2i_adapter_light_sd15_diffusers": f"a T2I-Adapter for {SD1}",
    "t2i_adapter_light_sd15_original": f"a T2I-Adapter for {SD1}",
    "taesd_diffusers": TINY,
    "taesd_original_encoder": "a TAESD, a tiny autoencoder",
    "taesd_original_decoder": TINY,
    "ip_adapter_sd15": f"an IP-Adapter for {SD1}",
    "ip_adapter_plus_sd15": f"an IP-Adapter for {SD1}",
    "ip_adapter_sdxl_vit-h": f"an IP-Adapter for {SDXL}",
    "ip_adapter_plus_sdxl_vit-h": f"an IP-Adapter for {SDXL}",
    "ip_adapter_sdxl_bigG": f"an IP-Adapter for {SDXL}",
    "flux1_ae_single_file": OF_16,
    "flux1_vae_diffusers": OF_16,
    "flux2_ae_single_file": OF_32,
    "flux2_vae_diffusers": OF_32,
    "qwen3_4b_text_encoder": "a text encoder (Qwen3-4B)",
    "t5xxl_encoder": "a text encoder (T5-XXL)",
}


def title(shapes: Shapes, metadata: dict[str, str] | None = None) -> str | None:
    found = stranger(Header(shapes.copy, metadata=metadata))
    return found and found.title


@pytest.mark.parametrize("layout", TITLES)
def test_a_published_file_is_refused_as_what_it_is(layout: str, tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    write_hollow(file, LAYOUTS[layout])
    message = refusal(file)
    assert message.startswith(f"'{file}' is {TITLES[layout]}")
    assert not any(name in message for name in LAYOUTS[layout])
    assert only_supported() in message or "; give " in message


PREFIX = "model.diffusion_model."


def test_it_is_told_where_its_names_begin_as_those_of_a_checkpoint(
    tmp_path: Path,
) -> None:
    file, layout = tmp_path / "x.safetensors", "sdxl_diffusers_unet"
    write_hollow(file, {PREFIX + name: s for name, s in LAYOUTS[layout].items()})
    assert refusal(file).startswith(f"'{file}' is {TITLES[layout]}")


@pytest.mark.parametrize("name", ["input_blocks.0.0.weight", "txt_in.weight"])
def test_a_tensor_alone_tells_nothing(name: str) -> None:
    assert title({name: (320, 4, 3, 3)}) is None


# --- variants of a published file -----------------------------------------------------


def changed(layout: str, **ends: Shape | None) -> Shapes:
    """Return a layout with the tensors that end so given other shapes, or dropped."""
    shapes = dict(LAYOUTS[layout])
    for end, shape in ends.items():
        (name,) = (n for n in shapes if n.endswith(end.replace("__", ".")))
        shapes.pop(name)
        if shape is not None:
            shapes[name] = shape
    return shapes


UNET = "sd21_diffusers_unet"


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (5, f"the UNet of {SD2} alone"),
        (7, "the x4 upscaler of Stable Diffusion 2"),
        (8, f"the UNet of {SD2} alone"),
        (9, f"the UNet of {SD2} alone"),
    ],
)
def test_what_a_unet_takes_in_tells_it(inputs: int, kind: str) -> None:
    assert title(changed(UNET, conv_in__weight=(320, inputs, 3, 3))) == kind


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (768, "Stable Video Diffusion, which makes videos"),
        (1536, "Stable unCLIP, which varies a picture"),
        (2048, "Stable unCLIP, which varies a picture"),
    ],
)
def test_what_a_unet_reads_beside_the_text_tells_it(labels: int, kind: str) -> None:
    beside = {"class_embedding.linear_1.weight": (1280, labels)}
    assert title(LAYOUTS[UNET] | beside) == kind


@pytest.mark.parametrize(
    ("inputs", "kind"), [(384, "Flux.1 [Fill]"), (128, "Flux.1 [Canny or Depth]")]
)
def test_what_flux_takes_in_tells_it(inputs: int, kind: str) -> None:
    shapes = LAYOUTS["flux1_dev_single_file"] | {"img_in.weight": (3072, inputs)}
    assert title(shapes) == kind


@pytest.mark.parametrize(
    ("width", "kind"), [(12288, "Flux.2 [klein 9B]"), (15360, "Flux.2 [dev]")]
)
def test_what_flux_2_reads_tells_it(width: int, kind: str) -> None:
    shapes = LAYOUTS["flux2_klein_4b_single_file"] | {"txt_in.weight": (4096, width)}
    assert title(shapes) == kind


def test_kin_of_z_image() -> None:
    layout = "zimage_turbo_single_file"
    assert title(changed(layout, cap_embedder__1__weight=(2304, 2304))) == "Lumina 2"
    omni = LAYOUTS[layout] | {"siglip_embedder.1.weight": (3840, 1152)}
    assert title(omni) == "Z-Image Omni"


def test_other_models() -> None:
    radiance = {"nerf_blocks.0.norm.scale": (64,)}
    chroma = LAYOUTS["chroma1_single_file_delta_from_flux1_schnell"]
    assert title(chroma | radiance) == "Chroma Radiance"
    sd3 = "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"
    assert title({sd3: (4608, 1536)}) == SD3
    tiny = LAYOUTS["taesd_diffusers"] | {"decoder.layers.0.weight": (64, 16, 3, 3)}
    assert title(tiny) == f"a TAESD, a tiny autoencoder, for Flux.1 or {SD3}"


def test_parts_of_models() -> None:
    both = {f"conditioner.embedders.{n}.model.x": (2,) for n in (0, 1)}
    assert title(both) == f"both text encoders of {SDXL}"
    safety = {"special_care_embeds": (3, 768), "concept_embeds": (17, 768)}
    assert title(safety) == "a safety checker of Stable Diffusion"
    t5 = {"token_embd.weight": (32128, 4096), "enc.blk.0.attn_q.weight": (4096, 4096)}
    assert title(t5) == "a text encoder (T5-XXL)"
    words, norm = {"token_embd.weight": (9, 2560)}, {"blk.0.attn_q_norm.weight": (128,)}
    assert title(words | norm) == "a text encoder (Qwen3-4B)"


# --- adapters -------------------------------------------------------------------------

ATTENTION = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
PEFT = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
TEXT = "text_model_encoder_layers_7_self_attn_q_proj"
LORAS: list[tuple[str, Shape, str]] = [
    (f"lora_unet_{ATTENTION}.lora_down.weight", (8, 768), f"for {SD1}"),
    (f"lora_unet_{ATTENTION}.lora_down.weight", (8, 1024), f"for {SD2}"),
    (f"lora_unet_{ATTENTION}.lora_down.weight", (8, 2048), f"for {SDXL}"),
    (f"unet.{PEFT}.to_k.lora_A.weight", (8, 2048), f"for {SDXL}"),
    (f"unet.{PEFT}.to_k.lora.down.weight", (8, 768), f"for {SD1}"),
    (f"unet.{PEFT}.processor.to_k_lora.down.weight", (8, 768), f"for {SD1}"),
    (f"base_model.model.{PEFT}.to_v.lora_A.default.weight", (8, 1024), f"for {SD2}"),
    (f"lora_te_{TEXT}.lora_down.weight", (8, 768), f"for {SD1}"),
    (f"lora_te2_{TEXT}.lora_down.weight", (8, 1280), f"for {SDXL}"),
    ("lora_unet_input_blocks_8_1_transformer_blocks_9_ff_net_2.lora_up.weight",
     (1280, 8), f"for {SDXL}"),
    ("lora_unet_double_blocks_2_img_attn_qkv.lora_down.weight", (8, 3072),
     "for Flux.1 or Flux.2"),
    ("double_blocks.2.processor.qkv_lora1.down.weight", (8, 3072), "for Flux.1"),
    ("lora_unet_double_blocks_2_img_mod_lin.lora_down.weight", (8, 3072),
     "for Flux.1"),
    ("lora_unet_double_blocks_2_img_mlp_0.lora_up.weight", (12288, 8), "for Flux.1"),
    ("lora_unet_double_blocks_2_img_mlp_0.lora_up.weight", (18432, 8), "for Flux.2"),
    ("transformer.single_transformer_blocks.3.attn.to_qkv_mlp_proj.lora_A.weight",
     (8, 3072), "for Flux.2"),
    ("transformer.single_transformer_blocks.0.proj_mlp.lora_B.weight", (12288, 8),
     "for Flux.1"),
    ("transformer.transformer_blocks.0.attn.to_q.lora_A.weight", (8, 1536),
     f"for {SD3}"),
    ("diffusion_model.layers.7.attention.to_k.lora_A.weight", (8, 3840), "for Z-Image"),
    ("lora_unet_layers_7_feed_forward_w1.lora_down.weight", (8, 3840), "for Z-Image"),
    ("transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight", (8, 3072),
     "for Flux.1 or Flux.2"),
    ("transformer.transformer_blocks.0.ff.net.2.lora_A.weight", (8, 12288),
     "for Flux.1"),
    ("lora_unet_single_blocks_2_linear1.lora_up.weight", (21504, 8), "for Flux.1"),
    ("lora_unet_single_blocks_2_linear1.lora_up.weight", (27648, 8), "for Flux.2"),
    ("lora_unet_single_blocks_2_linear2.lora_down.weight", (8, 12288), "for Flux.2"),
    ("lora_unet_double_blocks_2_img_attn_qkv.lora_down.weight", (8, 6144),
     "for Flux.2"),
    ("lora_unet_input_blocks_4_1_proj_in.lora_down.weight", (8, 640), f"for {SDXL}"),
    ("lora_unet_down_blocks_1_attentions_0_proj_in.lora_down.weight", (8, 640, 1, 1),
     f"for {SD1}"),
    ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", (8, 320),
     f"for {SD2}"),
    (f"lora_unet_{ATTENTION}.diff", (640, 2048), f"for {SDXL}"),
    (f"lora_te1_{TEXT}.lora_down.weight", (8, 768), ""),
    ("lora_unet_mid_block_resnets_0_norm1.w_norm", (1280,), ""),
    ("lora_unet_conv_in.lora_down.weight", (8, 4, 3, 3), ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shape", "family"), LORAS)
def test_a_lora_says_what_it_is_for(
    name: str, shape: Shape, family: str, tmp_path: Path
) -> None:
    write_hollow(tmp_path / "x.safetensors", {name: shape})
    message = refusal(tmp_path / "x.safetensors")
    assert f"is a LoRA {family}".rstrip() + ", which works beside a model" in message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("hada_w1_a", "a LoHa"),
        ("lokr_w2", "a LoKr"),
        ("oft_blocks", "an OFT"),
        ("on_input", "an (IA)^3"),
        ("b2.weight", "a GLoRA"),
        ("dora_scale", "a LoRA"),
        ("diff", "a LoRA"),
        ("w_norm", "a LoRA"),
    ],
)
def test_the_kin_of_lora_is_named(name: str, kind: str) -> None:
    said = title({f"lora_unet_{ATTENTION}.{name}": (8, 768)})
    assert said and said.startswith(kind)


@pytest.mark.parametrize(("width", "family"), [(768, SD1), (1024, SD2), (2048, SDXL)])
def test_the_kin_of_lora_says_what_it_is_for(width: int, family: str) -> None:
    for kind, shapes in {
        "LoHa": {"hada_w1_a": (640, 8), "hada_w1_b": (8, width)},
        "LoKr": {"lokr_w1": (8, 16), "lokr_w2": (80, width // 16)},
        "LoKr,": {"lokr_w1_b": (8, 16), "lokr_w2_b": (8, width // 16)},
        "GLoRA": {"a2.weight": (8, width), "b2.weight": (8, width)},
        "(IA)^3": {"weight": (width,), "on_input": ()},
    }.items():
        found = title({f"lora_unet_{ATTENTION}.{n}": s for n, s in shapes.items()})
        assert found and kind in found and found.endswith(f" for {family}")


@pytest.mark.parametrize(
    ("field", "value", "family"),
    [
        ("ss_base_model_version", "sd_v1", SD1),
        ("ss_base_model_version", "sd_v2_768_v", SD2),
        ("ss_base_model_version", "sdxl_base_v1-0", SDXL),
        ("ss_base_model_version", "flux1", "Flux.1"),
        ("modelspec.architecture", "stable-diffusion-xl-v1-base/lora", SDXL),
        ("modelspec.architecture", "stable-diffusion-v1/lora", SD1),
        ("modelspec.architecture", "flux-1-dev/lora", "Flux.1"),
    ],
)
def test_an_adapter_is_believed(field: str, value: str, family: str) -> None:
    open_question = {"lora_unet_conv_in.lora_down.weight": (8, 4, 3, 3)}
    assert title(open_question, {field: value}) == f"a LoRA for {family}"


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ({"emb_params": (4, 768)}, f"for {SD1}"),
        ({"emb_params": (4, 1024)}, f"for {SD2}"),
        ({"string_to_param.*": (4, 768)}, f"for {SD1}"),
        ({"<cat-toy>": (768,)}, f"for {SD1}"),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, f"for {SDXL}"),
        ({"clip_g": (4, 1280)}, f"for {REFINER}"),
    ],
)
def test_words_are_told(shapes: Shapes, kind: str) -> None:
    assert title(shapes) == f"a textual inversion {kind}"


def test_other_adapters() -> None:
    pairs = {"320.0.linear.0.weight": (640, 320), "768.1.linear.0.weight": (1536, 768)}
    assert title(pairs) == f"a hypernetwork for {SD1}"
    control = {"lora_controlnet": (0,), "input_blocks.1.1.attn2.to_k.down": (8, 2048)}
    assert title(control) == f"a Control-LoRA for {SDXL}"
    motion = "down_blocks.0.motion_modules.0.temporal_transformer.norm.weight"
    assert title({motion: (320,)}) == "a motion module of AnimateDiff, for videos"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("body.0.rdb1.conv1.weight", "an upscaler of ESRGAN's design"),
        ("quantize.embedding.weight", "a CodeFormer, which restores faces"),
        ("stylegan_decoder.constant_input.weight", "a GFPGAN, which restores faces"),
    ],
)
def test_what_finishes_pictures_is_told(name: str, kind: str, tmp_path: Path) -> None:
    torch.save({name: torch.ones(1)}, tmp_path / "x.pth")
    message = refusal(tmp_path / "x.pth")
    assert f"is {kind}, which works on finished pictures: see --upscaler" in message


# --- folders --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipeline", "kind"),
    [
        ("FluxPipeline", "Flux.1"),
        ("Flux2KleinPipeline", "Flux.2"),
        ("ZImagePipeline", "Z-Image"),
        ("StableDiffusion3Pipeline", SD3),
        ("StableVideoDiffusionPipeline", "Stable Video Diffusion"),
    ],
)
def test_a_folder_is_told_by_its_pipeline(
    pipeline: str, kind: str, tmp_path: Path
) -> None:
    index = tmp_path / "model_index.json"
    index.write_text(json.dumps({"_class_name": pipeline}))
    assert refusal(tmp_path).startswith(f"'{index}' is of a {pipeline}, {kind}")


def test_a_folder_without_a_list_is_told_by_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "transformer").mkdir()
    file = tmp_path / "transformer" / "diffusion_pytorch_model.safetensors"
    write_hollow(file, LAYOUTS["flux1_schnell_diffusers"])
    assert "no weights in 'text_encoder/'; it should hold" in refusal(tmp_path)


@pytest.mark.parametrize(
    "kind", ["StableDiffusionPipeline", "StableDiffusionXLPipeline"]
)
def test_a_folder_that_lacks_a_part_says_which(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    (tmp_path / "vae").mkdir()
    file = tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    write_hollow(file, LAYOUTS["sd_vae_diffusers"])
    assert "has no weights in 'unet/'; it should hold unet/, vae/" in refusal(tmp_path)


def test_one_file_of_several_says_so(tmp_path: Path) -> None:
    file = tmp_path / "model-00002-of-00003.safetensors"
    write_hollow(file, {"x.weight": (2,)})
    assert refusal(file).startswith(f"'{file}' is one of 3 files that hold weights tog")


def test_a_folder_of_one_file_is_told_by_it(tmp_path: Path) -> None:
    file = tmp_path / "adapter_model.safetensors"
    write_hollow(file, {f"unet.{PEFT}.to_k.lora_A.weight": (8, 2048)})
    assert refusal(tmp_path).startswith(f"'{tmp_path}' is a LoRA for {SDXL}, which")
