"""ControlNets and T2I-Adapters by name, and the kinds of hints that each takes.

Of each family the first row that takes a kind is what the kind's own name means. Sizes
and sums stand where they are known; other controls are used by a path, `owner/repo` or
an address.
"""

import re

from imaginairy.sources.drawing_rows import OPEN_RAIL_PP
from imaginairy.sources.few_steps import plain
from imaginairy.sources.roles import CONTROL
from imaginairy.sources.rows import BundledFolder, ControlRow, HubFile, HubRepo

APACHE, ON_PAGE = "Apache-2.0", "as stated on its page"
OPEN_RAIL = "OpenRAIL (use-based restrictions)"
CONTROLNET, CONTROL_LORA, T2I_ADAPTER = "ControlNet", "Control-LoRA", "T2I-Adapter"

WORDS: dict[str, tuple[str, ...]] = {
    "canny": ("edges", "edge"),
    "depth": ("midas", "zoe", "zoedepth"),
    "pose": ("openpose", "dwpose", "keypose", "openposev2"),
    "lines": ("lineart", "line", "anime"),
    "softedge": ("hed", "pidi", "pidinet", "teed"),
    "scribble": ("sketch",),
    "segmentation": ("seg", "segment", "ade20k"),
    "normal": ("normalbae", "normals", "bae"),
    "mlsd": ("straight",),
    "shuffle": (),
    "colours": ("colors", "color", "colour"),
    "blur": ("gaussian",),
    "inpaint": ("inpainting", "repaint"),
    "tile": ("ip2p",),
}
"""The kinds of hints that controls are made for, and what else names them, in the names
of controls too."""
KINDS = {word: kind for kind, more in WORDS.items() for word in (kind, *more)}
"""All words for kinds of hints, and the kind that each means."""
UNION: dict[str, int] = {
    "pose": 0, "depth": 1, "softedge": 2, "scribble": 2, "canny": 3, "lines": 3,
    "mlsd": 3, "normal": 4, "segmentation": 5, "tile": 6, "inpaint": 7,
}  # fmt: skip
"""What unions of ControlNets number the kinds with; those that know six of them stop
before `tile`."""


def kind_named(name: str) -> str | None:
    """Return the kind of hint that the words of a file's name say; the last of them."""
    words = re.findall(r"[a-z0-9]+", f"{plain(name)} {name.lower().replace('_', ' ')}")
    return next((KINDS[word] for word in reversed(words) if word in KINDS), None)


def sd15(name: str, published: str, says: str, *hints: str) -> ControlRow:
    """Return the row of a ControlNet 1.1 for Stable Diffusion 1.5."""
    return ControlRow(
        role=CONTROL,
        name=f"sd15-{name}",
        family="sd1",
        aliases=(published, f"{published}_fp16"),
        summary=f"ControlNet 1.1, {says}",
        weights=HubRepo(f"lllyasviel/{published}"),
        licence=OPEN_RAIL,
        design=CONTROLNET,
        hints=hints,
    )


def sd21(name: str, published: str, says: str, hint: str) -> ControlRow:
    """Return the row of a ControlNet for Stable Diffusion 2.1."""
    published = f"controlnet-sd21-{published}-diffusers"
    return ControlRow(
        role=CONTROL,
        name=f"sd21-{name}",
        family="sd2",
        aliases=(published,),
        summary=f"ControlNet, {says}",
        weights=HubRepo(f"thibaud/{published}"),
        licence=ON_PAGE,
        design=CONTROLNET,
        hints=(hint,),
    )


def sdxl(
    name: str, repo: str, says: str, hint: str, licence: str = APACHE
) -> ControlRow:
    """Return the row of a ControlNet for Stable Diffusion XL."""
    return ControlRow(
        role=CONTROL,
        name=f"sdxl-{name}",
        family="sdxl",
        aliases=(repo.replace("/", "-"),),
        summary=f"ControlNet, {says}",
        weights=HubRepo(repo),
        licence=licence,
        design=CONTROLNET,
        hints=(hint,),
    )


def control_lora(name: str, says: str, hint: str) -> ControlRow:
    """Return the row of a Control-LoRA for Stable Diffusion XL, which is smaller."""
    file = f"control-lora-{name}-rank256"
    return ControlRow(
        role=CONTROL,
        name=f"sdxl-{name}-lora",
        family="sdxl",
        aliases=(file,),
        summary=f"Control-LoRA of rank 256, {says}",
        weights=HubFile(
            "stabilityai/control-lora", f"control-LoRAs-rank256/{file}.safetensors"
        ),
        licence=ON_PAGE,
        design=CONTROL_LORA,
        hints=(hint,),
    )


def t2i(family: str, name: str, published: str, says: str, *hints: str) -> ControlRow:
    """Return the row of a T2I-Adapter, small and computed once a picture."""
    of = "sd15" if family == "sd1" else family
    return ControlRow(
        role=CONTROL,
        name=f"t2i-{of}-{name}",
        family=family,
        aliases=(published,),
        summary=f"T2I-Adapter, {says}",
        weights=HubRepo(f"TencentARC/{published}"),
        licence=APACHE,
        design=T2I_ADAPTER,
        hints=hints,
    )


def storybook(
    name: str, design: str, says: str, hint: str, **options: float
) -> ControlRow:
    """Return the row of a control for the bundled model, which comes with it."""
    return ControlRow(
        role=CONTROL,
        name=f"storybook-{name}",
        family="sd1",
        summary=f"{design}, {says}, for the bundled model",
        weights=BundledFolder(f"storybook_controls/{name}.safetensors"),
        licence="MIT",
        design=design,
        hints=(hint,),
        hint_options=tuple(options.items()),
    )


ONE_PIXEL = "edges of one pixel"
BODIES = "joints and limbs of bodies"
LINES = "lines of drawings"
SOFT = "soft edges"
ROUGH = "rough strokes"
CLOSER = "how close things are"
FACING = "which way surfaces face"
CLASSES = "the colours of classes of things"

CONTROL_ROWS: tuple[ControlRow, ...] = (
    storybook("edges", CONTROL_LORA, ONE_PIXEL, "canny"),
    storybook("colours", T2I_ADAPTER, "a grid of colours", "colours", cell=16),
    sd15("canny", "control_v11p_sd15_canny", ONE_PIXEL, "canny"),
    sd15("depth", "control_v11f1p_sd15_depth", CLOSER, "depth"),
    sd15("openpose", "control_v11p_sd15_openpose", BODIES, "pose"),
    sd15("lineart", "control_v11p_sd15_lineart", LINES, "lines"),
    sd15(
        "lineart-anime", "control_v11p_sd15s2_lineart_anime", "lines of anime", "lines"
    ),
    sd15("softedge", "control_v11p_sd15_softedge", SOFT, "softedge"),
    sd15("scribble", "control_v11p_sd15_scribble", ROUGH, "scribble"),
    sd15("seg", "control_v11p_sd15_seg", CLASSES, "segmentation"),
    sd15("normalbae", "control_v11p_sd15_normalbae", FACING, "normal"),
    sd15("mlsd", "control_v11p_sd15_mlsd", "straight lines", "mlsd"),
    sd15("shuffle", "control_v11e_sd15_shuffle", "colours moved about", "shuffle"),
    sd15("tile", "control_v11f1e_sd15_tile", "a picture to be detailed", "tile"),
    sd15("inpaint", "control_v11p_sd15_inpaint", "what stays of one", "inpaint"),
    sd15("ip2p", "control_v11e_sd15_ip2p", "a picture to be changed", "tile"),
    sd21("canny", "canny", ONE_PIXEL, "canny"),
    sd21("depth", "depth", CLOSER, "depth"),
    sd21("openpose", "openpose", BODIES, "pose"),
    sd21("lineart", "lineart", LINES, "lines"),
    sd21("softedge", "hed", SOFT, "softedge"),
    sd21("scribble", "scribble", ROUGH, "scribble"),
    sd21("seg", "ade20k", CLASSES, "segmentation"),
    sd21("normalbae", "normalbae", FACING, "normal"),
    sd21("colour", "color", "a grid of colours", "colours"),
    sdxl("canny", "xinsir/controlnet-canny-sdxl-1.0", ONE_PIXEL, "canny"),
    sdxl("depth", "xinsir/controlnet-depth-sdxl-1.0", CLOSER, "depth"),
    sdxl("openpose", "xinsir/controlnet-openpose-sdxl-1.0", BODIES, "pose"),
    sdxl("scribble", "xinsir/controlnet-scribble-sdxl-1.0", ROUGH, "scribble"),
    sdxl("tile", "xinsir/controlnet-tile-sdxl-1.0", "a picture to be detailed", "tile"),
    ControlRow(
        role=CONTROL,
        name="sdxl-union-promax",
        family="sdxl",
        aliases=("sdxl-promax", "controlnet-union-sdxl-1.0-promax"),
        summary="ControlNet Union ProMax, one for many kinds, several at once",
        weights=HubFile(
            repo="xinsir/controlnet-union-sdxl-1.0",
            path="diffusion_pytorch_model_promax.safetensors",
            size=2513342408,
            sha256="9fae2e50cb431bfcbe05822b59ec2228df545ef27f711dea8949e9f4ed9f7cdc",
        ),
        licence=APACHE,
        design=CONTROLNET,
        hints=tuple(UNION),
        is_union=True,
    ),
    ControlRow(
        role=CONTROL,
        name="sdxl-union",
        family="sdxl",
        aliases=("controlnet-union-sdxl-1.0",),
        summary="ControlNet Union, the same without tile and inpaint",
        weights=HubFile(
            "xinsir/controlnet-union-sdxl-1.0", "diffusion_pytorch_model.safetensors"
        ),
        licence=APACHE,
        design=CONTROLNET,
        hints=tuple(kind for kind, number in UNION.items() if number < 6),
        is_union=True,
    ),
    sdxl("canny-mid", "diffusers/controlnet-canny-sdxl-1.0-mid",
         f"{ONE_PIXEL}, smaller", "canny", OPEN_RAIL_PP),
    sdxl("depth-mid", "diffusers/controlnet-depth-sdxl-1.0-mid",
         f"{CLOSER}, smaller", "depth", OPEN_RAIL_PP),
    control_lora("canny", ONE_PIXEL, "canny"),
    control_lora("depth", CLOSER, "depth"),
    control_lora("sketch", ROUGH, "scribble"),
    t2i("sd1", "canny", "t2iadapter_canny_sd15v2", ONE_PIXEL, "canny"),
    t2i("sd1", "sketch", "t2iadapter_sketch_sd15v2", ROUGH, "scribble", "softedge"),
    t2i("sd1", "depth", "t2iadapter_depth_sd15v2", CLOSER, "depth"),
    t2i("sd1", "zoedepth", "t2iadapter_zoedepth_sd15v1", f"{CLOSER}, by ZoeDepth",
        "depth"),
    t2i("sd1", "openpose", "t2iadapter_openpose_sd14v1", BODIES, "pose"),
    t2i("sd1", "seg", "t2iadapter_seg_sd14v1", CLASSES, "segmentation"),
    t2i("sd1", "colour", "t2iadapter_color_sd14v1", "a grid of colours", "colours"),
    t2i("sdxl", "canny", "t2i-adapter-canny-sdxl-1.0", ONE_PIXEL, "canny"),
    t2i("sdxl", "sketch", "t2i-adapter-sketch-sdxl-1.0", ROUGH, "scribble", "softedge"),
    t2i("sdxl", "lineart", "t2i-adapter-lineart-sdxl-1.0", LINES, "lines"),
    t2i("sdxl", "depth", "t2i-adapter-depth-midas-sdxl-1.0", CLOSER, "depth"),
    t2i("sdxl", "depth-zoe", "t2i-adapter-depth-zoe-sdxl-1.0", f"{CLOSER}, by ZoeDepth",
        "depth"),
    t2i("sdxl", "openpose", "t2i-adapter-openpose-sdxl-1.0", BODIES, "pose"),
)  # fmt: skip
