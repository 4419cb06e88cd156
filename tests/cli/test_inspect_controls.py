"""`aimg inspect`: what steers a model, told by names and shapes of published files."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import constants

from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.sources.shelves import CONTROLS
from tests.families.test_strangers import LAYOUTS, Shapes
from tests.support.checkpoints import write_hollow

HINT = {"control_model.input_hint_block.0.weight": (16, 3, 3, 3)}
LOW_RANK: Shapes = {
    "lora_controlnet": (0,),
    "input_hint_block.0.weight": (16, 3, 3, 3),
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.up": (640, 256),
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.down": (256, 2048),
}
PROMAX = LAYOUTS["controlnet_union_sdxl_diffusers"] | {"task_embedding": (8, 320)}
PLUS = {"image_proj.proj_in.weight": (768, 1280)}
PAIR = {"ip_adapter.1.to_k_ip.weight": (320, 768)}
FULL_FACE: Shapes = {
    **PAIR,
    "image_proj.proj.0.weight": (1280, 1280),
    "image_proj.proj.2.weight": (768, 1280),
    "image_proj.proj.3.weight": (768,),
}
SD1, SDXL = "Stable Diffusion 1.x", "Stable Diffusion XL (SDXL)"
ONE = {"hint_channels": 3, "is_difference": False, "design": "ControlNet"}
LIGHT = {"design": "T2I-Adapter", "hint_channels": 3, "is_light": True}
FULL = LIGHT | {"is_light": False}
KINDS: dict[str, tuple[Shapes, str, dict[str, Any]]] = {
    "control_v11p_sd15_canny_fp16": (
        LAYOUTS["controlnet_sd15_single_file"] | HINT, f"a ControlNet for {SD1}",
        ONE | {"hint": "canny"},
    ),
    "mine": (
        LAYOUTS["controlnet_sdxl_diffusers"], f"a ControlNet for {SDXL}",
        ONE | {"hint": None},
    ),
    "diff_control_sd15_depth": (
        LAYOUTS["controlnet_sd15_single_file"] | HINT | {"difference": (0,)},
        f"a ControlNet for {SD1}", ONE | {"hint": "depth", "is_difference": True},
    ),
    "promax": (
        PROMAX, f"a ControlNet for {SDXL}", ONE | {"hint": None, "union_of": 8},
    ),
    "control-lora-sketch-rank256": (
        LOW_RANK, f"a Control-LoRA for {SDXL}",
        {"design": "Control-LoRA", "hint": "scribble", "hint_channels": 3,
         "is_difference": True, "rank": 256},
    ),
    "t2iadapter_depth_sd15v2": (
        LAYOUTS["t2i_adapter_sd15_original"], f"a T2I-Adapter for {SD1}",
        FULL | {"hint": "depth"},
    ),
    "t2iadapter_sketch_sd15v2": (
        LAYOUTS["t2i_adapter_sd15_diffusers"]
        | {"adapter.conv_in.weight": (320, 64, 3, 3)},
        f"a T2I-Adapter for {SD1}",
        FULL | {"hint": "scribble", "hint_channels": 1},
    ),
    "t2i-openpose": (
        LAYOUTS["t2i_adapter_sdxl_diffusers"], f"a T2I-Adapter for {SDXL}",
        FULL | {"hint": "pose"},
    ),
    "t2iadapter_color_sd14v1": (
        LAYOUTS["t2i_adapter_light_sd15_original"], f"a T2I-Adapter for {SD1}",
        LIGHT | {"hint": "colours"},
    ),
    "ip-adapter_sd15": (
        LAYOUTS["ip_adapter_sd15"], f"an IP-Adapter for {SD1}",
        {"design": "plain", "tokens": 4, "image_encoder": "CLIP ViT-H/14"},
    ),
    "ip-adapter_sdxl": (
        LAYOUTS["ip_adapter_sdxl_bigG"], f"an IP-Adapter for {SDXL}",
        {"design": "plain", "tokens": 4, "image_encoder": "CLIP ViT-bigG/14"},
    ),
    "ip-adapter-plus_sd15": (
        LAYOUTS["ip_adapter_plus_sd15"] | PLUS, f"an IP-Adapter for {SD1}",
        {"design": "Plus", "tokens": 16, "image_encoder": "CLIP ViT-H/14"},
    ),
    "ip-adapter-full-face_sd15": (
        FULL_FACE, f"an IP-Adapter for {SD1}",
        {"design": "full face", "tokens": 257, "image_encoder": "CLIP ViT-H/14"},
    ),
}  # fmt: skip


def inspect(*words: str | Path) -> str:
    ran = CliRunner().invoke(aimg, ["inspect", *map(str, words)], obj=Stores())
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def facts(path: Path) -> dict[str, Any]:
    """Return what `--json` says."""
    said: dict[str, Any] = json.loads(inspect(path, "--json"))
    return said


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty the hub's cache and the folders of one's own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(CONTROLS.variable, raising=False)


@pytest.mark.parametrize("name", KINDS)
def test_controls_and_adapters_for_image_prompts(name: str, tmp_path: Path) -> None:
    shapes, what, control = KINDS[name]
    write_hollow(tmp_path / f"{name}.safetensors", shapes)
    said = facts(tmp_path / f"{name}.safetensors")
    assert (said["what"], said["control"]) == (what, control)
    assert not said["usable"]


def test_what_people_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of a file in a folder of one's own, too."""
    monkeypatch.setenv(CONTROLS.variable, str(tmp_path))
    said = {
        "control-lora-sketch-rank256": (
            "design Control-LoRA", "hint scribble, as its name says", "rank 256",
            "hint channels 3", "holds what is added to the UNet that it steers",
        ),
        "promax": ("hint any of 8 kinds, which it has to be told (a union)",),
        "t2iadapter_color_sd14v1": ("design T2I-Adapter, light",),
        "mine": ("design ControlNet", "hint channels 3"),
    }  # fmt: skip
    for name, expected in said.items():
        write_hollow(tmp_path / f"{name}.safetensors", KINDS[name][0])
        lines = [" ".join(line.split()) for line in inspect(name).splitlines()]
        assert {*expected} <= {*lines}
    assert not any(line.startswith("hint ") and "name" in line for line in lines)


def test_a_folder_that_diffusers_saved(tmp_path: Path) -> None:
    folder = tmp_path / "my-depth"
    folder.mkdir()
    file = folder / "diffusion_pytorch_model.safetensors"
    write_hollow(file, LAYOUTS["controlnet_sd15_diffusers"])
    (folder / "config.json").write_text("{}")
    said = facts(folder)
    assert said["what"] == f"a ControlNet for {SD1}"
    assert said["control"] == ONE | {"hint": "depth"}


FACES: dict[str, Shapes] = {
    "plain": {
        "image_proj.proj.0.weight": (1024, 512),
        "image_proj.proj.2.weight": (3072, 1024),
        "image_proj.norm.weight": (768,),
    },
    "with LoRAs": {"ip_adapter.0.to_q_lora.down.weight": (128, 320)},
    "plus": {"image_proj.perceiver_resampler.proj_in.weight": (768, 1280)},
}  # fmt: skip


@pytest.mark.parametrize("kind", FACES)
def test_face_id_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    write_hollow(tmp_path / "x.safetensors", FACES[kind] | PAIR)
    said = facts(tmp_path / "x.safetensors")
    assert said["what"] == f"an IP-Adapter FaceID for {SD1}"
    assert said["missing"] == [
        "It reads what a face recogniser says, whose weights may not be used freely; "
        "give a plain, Plus, Plus-Face or full-face IP-Adapter."
    ]


def test_other_designs_are_named(tmp_path: Path) -> None:
    style = {
        "style_embedding": (1, 8, 1024),
        "transformer_layes.0.ln_1.weight": (1024,),
    }
    write_hollow(tmp_path / "x.safetensors", style)
    said = facts(tmp_path / "x.safetensors")
    assert said["what"] == "a style adapter, a kind of T2I-Adapter"
    assert said["missing"][0].startswith("It reads what CLIP says of a picture and is")
