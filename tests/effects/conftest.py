"""A folder with everything that options can name, and what draws in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from imaginairy import ModelStore
from storybook.faces.pictures import fresh_portraits
from tests.support.adapters import save_style
from tests.support.credentials import save_certificates
from tests.support.depths import save_depths
from tests.support.editors import seeing_more
from tests.support.effects import Studio
from tests.support.packages import bring, enhancer_code
from tests.support.poses import save_people, save_pose
from tests.support.taesd import save_halves, tiny_taesd
from tests.support.tiny import tiny_pipeline
from tests.support.tiny_clipseg import save_colour_finder, save_tiny_clipseg
from tests.support.tiny_codeformer import save_tiny_codeformer
from tests.support.tiny_controls import saved_folder, tiny_controlnet
from tests.support.tiny_flow import built, flux2
from tests.support.tiny_image_prompts import (
    saved_ip_adapter,
    tiny_encoder,
    tiny_ip_adapter,
)
from tests.support.tiny_kin import tiny_depth, tiny_sdxl
from tests.support.tiny_upscaler import save_repeater
from tests.support.tiny_words import (
    save_colour_matcher,
    save_colour_teller,
    save_tiny_blip,
)
from tests.support.written import save_file_of

pytest.register_assert_rewrite(
    *(
        f"tests.effects.{name}"
        for name in (
            "fields",
            "controls",
            "words",
            "decoding",
            "told",
            "prompt_options",
            "options",
            "command_options",
            "conversions",
            "serving",
            "lessons",
        )
    )
)

RED_FINDER = Path(__file__).parents[1] / "models" / "data" / "red_finder.onnx"
NEGATIVE = (
    "return work.with_images(**{kind: image.point(lambda v: 255 - v)"
    " for kind, image in work.images.items()})"
)


def save_pictures(folder: Path) -> None:
    """Save what is drawn from: plain colours, boxes, a face, halves of a mask."""
    for colour in ("red", "blue"):
        Image.new("RGB", (64, 64), colour).save(folder / f"{colour}.png")
    Image.new("RGB", (96, 96), "red").save(folder / "large.png")
    boxes = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(boxes).rectangle((0, 16, 23, 47), fill=(226, 52, 46))
    ImageDraw.Draw(boxes).rectangle((40, 16, 63, 47), fill=(42, 94, 214))
    boxes.save(folder / "boxes.png")
    fresh_portraits(1)[0].image.save(folder / "face.png")
    for name, box in (("left", (0, 0, 31, 63)), ("right", (32, 0, 63, 63))):
        half = Image.new("L", (64, 64))
        ImageDraw.Draw(half).rectangle(box, fill=255)
        half.save(folder / f"{name}.png")


def save_zorbs(folder: Path) -> None:
    """Save pictures to learn from, with what they show, in two folders."""
    (folder / "zorbs").mkdir()
    (folder / "others").mkdir()
    for name, size in (("red", (64, 64)), ("blue", (96, 64))):
        picture = Image.new("RGB", size, name)
        ImageDraw.Draw(picture).rectangle((0, 0, 20, 40), fill="white")
        picture.save(folder / "zorbs" / f"{name}.png")
        (folder / "zorbs" / f"{name}.txt").write_text(f"a {name} fox")
        (folder / "others" / f"{name}.png").symlink_to(folder / f"{name}.png")


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """A folder of models, pictures and packages, each under a short name."""
    folder = tmp_path_factory.mktemp("furnished")
    (folder / "tiny").symlink_to(tiny_folder)
    other = tiny_pipeline(seed=3)
    other.save_pretrained(folder / "other")
    save_file(other.vae.state_dict(), folder / "vae.safetensors")
    save_file(other.text_encoder.state_dict(), folder / "clip.safetensors")
    up, down = torch.ones(32, 1, 1, 1), torch.ones(1, 4, 3, 3)
    conv_in = {"lora_up.weight": up, "lora_down.weight": down}
    lora = {f"lora_unet_conv_in.{name}": each for name, each in conv_in.items()}
    save_file(lora, folder / "some_lora.safetensors")
    save_style(other, folder / "style.safetensors")
    (folder / "loras").mkdir()
    (folder / "loras" / "style.safetensors").symlink_to(folder / "style.safetensors")
    saved_folder(tiny_controlnet(tiny_pipeline().unet), folder / "net")
    tiny_encoder().save_pretrained(folder / "image_encoder")
    both = tiny_ip_adapter("plus", tiny_pipeline().unet)
    saved_ip_adapter(both, folder / "reader.safetensors")
    save_halves(tiny_taesd(), folder, ".safetensors", "decoder")
    name = "model.diffusion_model.input_blocks.0.0.weight"
    save_file_of(tiny_pipeline(), folder / "nearly.safetensors")
    nearly = load_file(folder / "nearly.safetensors")
    save_file({**nearly, name: nearly[name] + 0.1}, folder / "nearly.safetensors")
    tiny_sdxl().save_pretrained(folder / "xl")
    seeing_more(tiny_pipeline()).save_pretrained(folder / "editor")
    tiny_depth().save_pretrained(folder / "led")
    built(flux2).save_pretrained(folder / "klein")
    save_file({"emb_params": torch.eye(2, 48)}, folder / "zorb.safetensors")
    pair = ({"linear.0.weight": torch.eye(48)}, {"linear.0.weight": 2 * torch.eye(48)})
    torch.save({48: pair}, folder / "hyper.pt")
    save_colour_finder(folder / "finder")
    for seed in (1, 2):
        save_depths(folder / f"depths{seed}", seed)
        save_people(folder / f"people{seed}", seed)
    save_pose(folder / "poses")
    save_tiny_clipseg(folder / "random")
    save_colour_teller(folder / "teller")
    save_tiny_blip(folder / "wordy")
    save_colour_matcher(folder / "matcher")
    save_tiny_codeformer(folder / "restorer")
    for scale in (2, 3):
        save_repeater(folder / f"x{scale}.safetensors", scale=scale)
    (folder / "red_finder.onnx").symlink_to(RED_FINDER)
    save_pictures(folder)
    (folder / "list.txt").write_text("a fruit\n\na red bowl\n")
    save_certificates(folder)
    save_zorbs(folder)
    (folder / "packages").mkdir()
    bring(folder / "packages", "negatives", "negative",
          enhancer_code("negative", NEGATIVE))  # fmt: skip
    return folder


@pytest.fixture
def place(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in the furnished folder, with its packages installed."""
    monkeypatch.chdir(furnished)
    monkeypatch.syspath_prepend(furnished / "packages")
    return furnished


@pytest.fixture(scope="session")
def studio(store: ModelStore) -> Iterator[Studio]:
    """Draw with the tiny models, or with the bundled one."""
    tiny = ModelStore(device="cpu")
    yield Studio(tiny, store)
    tiny.clear()
