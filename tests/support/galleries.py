"""Folders of pictures for tests of the gallery."""

import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult
from imaginairy.gallery import write_gallery
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


def save(folder: Path, number: int, prompt: str, **options: Any) -> Path:
    """Save a picture of one colour under the next name."""
    colour = options.pop("colour", "teal")
    variants = options.pop("variants", {})
    size = options.pop("size", (32, 32))
    model = options.pop("model", "sd15")
    whole = filled(
        ImaginePrompt(prompt, **{"seed": number, **options}), known(DRAWS, model)
    )
    result = ImagineResult(
        prompt=whole,
        images={"generated": Image.new("RGB", size, colour)},
        model_hash=lambda: "ab" * 32,
    )
    path = result.save(folder / f"{number:06d}_{whole.sampler_type}.jpg")
    for kind, image in variants.items():
        (folder / kind).mkdir(exist_ok=True)
        image.save(folder / kind / path.name)
    return path


def save_all_kinds(above: Path) -> Path:
    """Save a few pictures of every kind and write their page; return the folder."""
    folder = above / "a & <b>"
    folder.mkdir()
    before = folder.parent / "before #1.png"
    Image.new("RGB", (320, 240), (0, 128, 128)).save(before)
    save(folder, 1, "a red fox", sampler_type="k_euler", negative_prompt="night")
    save(folder, 2, "a bowl of fruit", model="storybook")
    save(folder, 3, "0.5*(a fox)|0.5*(a bowl)", steps=12)
    save(
        folder, 4, "painted over", init_image=str(before), init_image_strength=0.5,
        variants={"modified_original": Image.new("RGB", (320, 240), (200, 0, 0))},
    )  # fmt: skip
    save(folder, 5, EVIL, negative_prompt=EVIL, caption_text="<b>")
    hostile = 'javascript:alert(1)\' onerror="x" <i>#?%41&.jpg'
    shutil.copy(folder / "000001_k_euler.jpg", folder / hostile)
    Image.new("RGB", (16, 16)).save(folder / "plain.png")
    (folder / "broken.png").write_text("no picture")
    (folder / "notes.txt").write_text("no picture either")
    write_gallery(folder)
    return folder
