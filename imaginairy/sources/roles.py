"""What models are for."""

from dataclasses import dataclass

from imaginairy.errors import BadOptionError, in_words, near_miss
from imaginairy.sources.checkpoints import checkpoint_files, text_files, vae_files
from imaginairy.sources.control_files import control_files
from imaginairy.sources.layouts import Choose, folder_files

DRAWS = "draws"
"""The role of the models that draw pictures; all others go beside one of these."""
VAE = "vae"
"""The role of autoencoders that take the place of that of a model that draws."""
TEXT_ENCODER = "text-encoder"
"""The role of text encoders that are given to a model that draws."""
CONTROL = "control"
"""The role of what steers a model that draws by hints: ControlNets, T2I-Adapters."""

IMAGE_PROMPT = "image-prompt"
"""The role of what reads image prompts for a model that draws: IP-Adapters."""
IMAGE_ENCODER = "image-encoder"
"""The role of what sees for these."""


@dataclass(frozen=True)
class Role:
    """What a model is for."""

    noun: str
    """What such a model is called in messages."""
    option: str | None
    """The field of a prompt that names one; None where there is no choice."""
    published: str
    bundled: str | None
    """None where pictures of the bundled world need no such model."""
    paths: str
    """What a path may lead to, in messages."""
    fallback: str | None = None
    """What does without any model where the published one cannot be had and the bundled
    one does not know the picture; None where nothing does."""
    is_file: bool = False
    """Whether such a model is one file of weights, and no folder or repository."""
    files: Choose = folder_files
    """Chooses what is needed of a folder or a repository."""


ROLES: dict[str, Role] = {
    DRAWS: Role(
        noun="model",
        option="model",
        published="sd15",
        bundled="storybook",
        paths="a checkpoint file or folder",
        files=checkpoint_files,
    ),
    VAE: Role(
        noun="VAE",
        option="vae",
        published="sdxl-vae-fp16-fix",
        bundled=None,
        paths="a file or folder that is a VAE or has one",
        files=vae_files,
    ),
    TEXT_ENCODER: Role(
        noun="text encoder",
        option="text_encoders",
        published="qwen3-4b",
        bundled=None,
        paths="a file or folder that is a text encoder or has one",
        files=text_files,
    ),
    CONTROL: Role(
        noun="control",
        option=None,
        published="sd15-canny",
        bundled=None,
        paths="a ControlNet or T2I-Adapter",
        files=control_files,
    ),
    IMAGE_PROMPT: Role(
        noun="IP-Adapter",
        option=None,
        published="ip-adapter-sd15",
        bundled=None,
        paths="an IP-Adapter",
        files=control_files,
    ),
    IMAGE_ENCODER: Role(
        noun="image encoder",
        option=None,
        published="clip-vit-h-image",
        bundled="storybook-image",
        paths="a folder saved by transformers",
    ),
    "mask": Role(
        noun="mask model",
        option="mask_model",
        published="clipseg",
        bundled="storybook-clipseg",
        paths="a folder saved by transformers",
    ),
    "upscaler": Role(
        noun="upscaler",
        option="upscaler",
        published="realesrgan-x4plus",
        bundled="storybook-upscaler",
        fallback="lanczos",
        paths="a .pth or .safetensors file",
        is_file=True,
    ),
    "face-detector": Role(
        noun="face detector",
        option="fix_faces_detector",
        published="yunet",
        bundled="storybook-faces",
        paths="an ONNX file of YuNet's design",
    ),
    "face-restorer": Role(
        noun="face restorer",
        option="fix_faces_model",
        published="codeformer",
        bundled="storybook-codeformer",
        paths="CodeFormer's or GFPGAN's weights",
    ),
    "captioner": Role(
        noun="caption model",
        option="caption_model",
        published="blip-base",
        bundled="storybook-blip",
        paths="a folder saved by transformers",
    ),
    "similarity": Role(
        noun="similarity model",
        option="similarity_model",
        published="clip-vit-large",
        bundled="storybook-clip",
        paths="a folder saved by transformers",
    ),
    "depth": Role(
        noun="depth model",
        option=None,
        published="depth-anything-v2-small",
        bundled=None,
        paths="a folder saved by transformers",
    ),
    "soft-edges": Role(
        noun="edge detector",
        option=None,
        published="hed",
        bundled=None,
        paths="a .pth or .safetensors file of HED's design",
        is_file=True,
    ),
    "segmenter": Role(
        noun="segmentation model",
        option=None,
        published="upernet-convnext-small",
        bundled=None,
        paths="a folder saved by transformers",
    ),
    "pose": Role(
        noun="pose model",
        option=None,
        published="vitpose-base-simple",
        bundled=None,
        paths="a folder saved by transformers",
    ),
    "person-detector": Role(
        noun="person detector",
        option=None,
        published="rtdetr-r50",
        bundled=None,
        paths="a folder saved by transformers",
    ),
    "safety": Role(
        noun="safety checker",
        option=None,
        published="stable-diffusion-safety-checker",
        bundled=None,
        paths="a folder saved by transformers",
    ),
}

WITH_MODEL = (VAE, TEXT_ENCODER, CONTROL, IMAGE_PROMPT)
"""The roles of what is loaded with the model that is to have it."""
GENERATE = (DRAWS, VAE, TEXT_ENCODER, CONTROL, IMAGE_PROMPT, IMAGE_ENCODER)
"""The roles of what has a part in generating an image."""
BESIDE = {name: role for name, role in ROLES.items() if name not in GENERATE}
"""What works on pictures, before they are drawn or afterwards."""
DEFAULT_MODEL = ROLES[DRAWS].published
BUNDLED_MODEL = "storybook"


def role_named(name: object) -> Role:
    """Return a role by its name.

    Raises:
        BadOptionError: there is no such role.
    """
    if not isinstance(name, str) or name not in ROLES:
        raise BadOptionError(
            f"Models have no role '{in_words(name)}'; roles are: {', '.join(ROLES)}."
            + near_miss(in_words(name), ROLES)
        )
    return ROLES[name]
