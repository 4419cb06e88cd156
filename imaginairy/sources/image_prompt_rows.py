"""IP-Adapters by name, and the image encoders that see for them.

Of each family the first row is what reads an image prompt that names no adapter. Sizes
and sums stand where they are known.
"""

from imaginairy.sources.roles import IMAGE_ENCODER, IMAGE_PROMPT
from imaginairy.sources.rows import (
    BundledFolder,
    HubFile,
    HubRepo,
    ImagePromptRow,
    ModelRow,
)

REPO = "h94/IP-Adapter"
APACHE = "Apache-2.0"
VIT_H, BIG_G, BUNDLED = "clip-vit-h-image", "clip-vit-bigg-image", "storybook-image"


def row(
    family: str,
    name: str,
    says: str,
    encoder: str = VIT_H,
    size: int | None = None,
    sha256: str | None = None,
) -> ImagePromptRow:
    """Return the row of an IP-Adapter, which is called as its file is."""
    folder = "sdxl_models" if family == "sdxl" else "models"
    path = f"{folder}/{name}.safetensors"
    return ImagePromptRow(
        role=IMAGE_PROMPT,
        name=name.replace("_", "-").lower(),
        family=family,
        aliases=(name.lower(),),
        summary=says,
        weights=HubFile(REPO, path, size=size, sha256=sha256),
        licence=APACHE,
        encoder=encoder,
    )


IMAGE_PROMPT_ROWS: tuple[ImagePromptRow, ...] = (
    row(
        "sd1", "ip-adapter_sd15", "reads an image as a whole",
        size=44642768,
        sha256="289b45f16d043d0bf542e45831f971dcdaabe18b656f11e86d9dfba7e9ee3369",
    ),
    row(
        "sd1", "ip-adapter-plus_sd15", "reads an image closely",
        size=98183288,
        sha256="a1c250be40455cc61a43da1201ec3f1edaea71214865fb47f57927e06cbe4996",
    ),
    row("sd1", "ip-adapter-plus-face_sd15", "reads a face closely"),
    row("sd1", "ip-adapter-full-face_sd15", "reads all of a face"),
    row("sd1", "ip-adapter_sd15_light", "reads an image and leaves more to the text"),
    row(
        "sd1", "ip-adapter_sd15_vit-G", "reads an image by a larger image encoder",
        encoder=BIG_G,
    ),
    row(
        "sdxl", "ip-adapter_sdxl_vit-h", "reads an image as a whole",
        size=698391064,
    ),
    row(
        "sdxl", "ip-adapter-plus_sdxl_vit-h", "reads an image closely",
        size=847517512,
    ),
    row("sdxl", "ip-adapter-plus-face_sdxl_vit-h", "reads a face closely"),
    row(
        "sdxl", "ip-adapter_sdxl", "reads an image by a larger image encoder",
        encoder=BIG_G, size=702585376,
    ),
    ImagePromptRow(
        role=IMAGE_PROMPT, name="storybook-image-prompt", family="sd1",
        summary="reads colours and kinds of things, for the bundled model",
        weights=BundledFolder("storybook_controls/image-prompt.safetensors"),
        licence="MIT", encoder=BUNDLED,
    ),
)  # fmt: skip

IMAGE_ENCODER_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role=IMAGE_ENCODER,
        name=VIT_H,
        summary="OpenCLIP ViT-H/14, which sees for most IP-Adapters",
        weights=HubRepo(REPO, folder="models/image_encoder"),
        licence="MIT",
    ),
    ModelRow(
        role=IMAGE_ENCODER,
        name=BIG_G,
        summary="OpenCLIP ViT-bigG/14, which sees for those that say so",
        weights=HubRepo(REPO, folder="sdxl_models/image_encoder"),
        licence="MIT",
    ),
    ModelRow(
        role=IMAGE_ENCODER,
        name=BUNDLED,
        summary="the eyes of storybook's CLIP, which see for its own image prompts",
        weights=BundledFolder("storybook_clip"),
        licence="MIT",
    ),
)
