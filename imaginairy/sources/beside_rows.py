"""The models beside the one that draws, by role and name.

Each role has a published model and, but for the safety checker, a small bundled one
that knows storybook's drawn world; which of them a picture gets is said by the row of
the model that drew it (`DrawingDefaults.companions`).
"""

from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.rows import (
    BundledFolder,
    HubFile,
    HubRepo,
    ModelRow,
    NoWeights,
    WebFile,
)

REAL_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
BSD_3 = "BSD-3-Clause"

BESIDE_ROWS: tuple[ModelRow, ...] = (
    ModelRow(
        role="mask",
        name="clipseg",
        aliases=("clipseg-rd64-refined",),
        summary="CLIPSeg, refined, for photographs and paintings",
        weights=HubRepo("CIDAS/clipseg-rd64-refined"),
        licence="Apache-2.0",
    ),
    ModelRow(
        role="mask",
        name="storybook-clipseg",
        aliases=("storybook", "bundled"),
        summary="a small CLIPSeg that knows storybook's drawn world, bundled",
        weights=BundledFolder("storybook_clipseg"),
        licence="MIT",
    ),
    ModelRow(
        role="depth",
        name="depth-anything-v2-small",
        aliases=("depth-anything",),
        summary="Depth Anything V2, small: how near what an image shows is",
        weights=HubRepo(
            "depth-anything/Depth-Anything-V2-Small-hf",
            revision="5426e4f0f36572d16453bbda7a8389317b1bef99",
            sha256=(
                (
                    "model.safetensors",
                    "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
                ),
            ),
        ),
        licence="Apache-2.0",
    ),
    ModelRow(
        role="upscaler",
        name="realesrgan-x4plus",
        aliases=("realesrgan", "x4plus"),
        summary="Real-ESRGAN, four times as large, for photographs and paintings",
        weights=WebFile(
            url=f"{REAL_ESRGAN}/v0.1.0/RealESRGAN_x4plus.pth",
            size=67040989,
            sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        ),
        licence=BSD_3,
    ),
    ModelRow(
        role="upscaler",
        name="realesrgan-x2plus",
        aliases=("x2plus",),
        summary="Real-ESRGAN, twice as large",
        weights=WebFile(
            url=f"{REAL_ESRGAN}/v0.2.1/RealESRGAN_x2plus.pth",
            size=67061725,
            sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        ),
        licence=BSD_3,
    ),
    ModelRow(
        role="upscaler",
        name="realesrgan-x4plus-anime",
        aliases=("anime", "realesrgan-x4plus-anime-6b"),
        summary="Real-ESRGAN, four times as large, for drawings, and smaller",
        weights=WebFile(
            url=f"{REAL_ESRGAN}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
            size=17938799,
            sha256="f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        ),
        licence=BSD_3,
    ),
    ModelRow(
        role="upscaler",
        name="realesr-general-x4v3",
        aliases=("general", "general-x4v3"),
        summary="Real-ESRGAN's compact network, four times as large, and fast",
        weights=WebFile(
            url=f"{REAL_ESRGAN}/v0.2.5.0/realesr-general-x4v3.pth",
            size=4885111,
            sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        ),
        licence=BSD_3,
    ),
    ModelRow(
        role="upscaler",
        name="storybook-upscaler",
        aliases=("storybook", "bundled"),
        summary="four times as large, knows storybook's drawn world, bundled",
        weights=BundledFolder("storybook_upscaler"),
        licence="MIT",
    ),
    ModelRow(
        role="upscaler",
        name="lanczos",
        summary="a classical filter, four times as large; adds no detail",
        weights=NoWeights(),
        licence="none needed",
    ),
    ModelRow(
        role="face-detector",
        name="yunet",
        aliases=("face_detection_yunet_2023mar",),
        summary="YuNet, for photographed and painted faces",
        weights=HubFile(
            repo="opencv/face_detection_yunet",
            path="face_detection_yunet_2023mar.onnx",
            revision="3cc26e7f1014a5ee5d74a42acee58bafc9d0a310",
            size=232589,
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        ),
        licence="MIT",
    ),
    ModelRow(
        role="face-detector",
        name="storybook-faces",
        aliases=("storybook", "bundled"),
        summary="finds the faces of storybook's drawn world, bundled",
        weights=BundledFolder("storybook_faces"),
        licence="MIT",
    ),
    ModelRow(
        role="face-restorer",
        name="codeformer",
        summary="CodeFormer, for photographed and painted faces, non-commercial",
        weights=WebFile(
            url="https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/"
            "codeformer.pth",
            size=376637898,
            sha256="1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
        ),
        licence="S-Lab License 1.0 (non-commercial use only)",
        notice="CodeFormer's weights are under the S-Lab License 1.0, which allows no "
        "commercial use.",
    ),
    ModelRow(
        role="face-restorer",
        name="gfpgan",
        aliases=("gfpgan-1.4", "gfpganv1.4"),
        summary="GFPGAN 1.4, for photographed and painted faces",
        weights=WebFile(
            url="https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/"
            "GFPGANv1.4.pth",
            size=348632874,
            sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
        ),
        licence="Apache-2.0",
    ),
    ModelRow(
        role="face-restorer",
        name="storybook-codeformer",
        aliases=("storybook", "bundled"),
        summary="a small CodeFormer that knows storybook's drawn faces, bundled",
        weights=BundledFolder("storybook_codeformer"),
        licence="MIT",
    ),
    ModelRow(
        role="captioner",
        name="blip-base",
        aliases=("blip", "blip-image-captioning-base"),
        summary="BLIP, base size, captions of photographs and paintings",
        weights=HubRepo(
            "Salesforce/blip-image-captioning-base",
            revision="82a37760796d32b1411fe092ab5d4e227313294b",
            sha256=(
                (
                    "pytorch_model.bin",
                    "d6638651a5526cc2ede56f2b5104d6851b0755816d220e5e046870430180c767",
                ),
            ),
        ),
        licence="BSD-3-Clause",
    ),
    ModelRow(
        role="captioner",
        name="blip-large",
        aliases=("blip-image-captioning-large",),
        summary="BLIP, large size, wordier and twice the download",
        weights=HubRepo(
            "Salesforce/blip-image-captioning-large",
            revision="2227ac38c9f16105cb0412e7cab4759978a8fd90",
            sha256=(
                (
                    "model.safetensors",
                    "ebc867586b8318647dd7b75ef8e52f93f89b98ac7dcbd04d10219d33b9a68c6f",
                ),
                (
                    "pytorch_model.bin",
                    "66c8aec8d91b5e74b86bde343ed95fb53e9ccf9ffc77c5093890df662d234e04",
                ),
            ),
        ),
        licence="BSD-3-Clause",
    ),
    ModelRow(
        role="captioner",
        name="storybook-blip",
        aliases=("storybook", "bundled"),
        summary="a small BLIP that knows storybook's drawn world, bundled",
        weights=BundledFolder("storybook_blip"),
        licence="MIT",
    ),
    ModelRow(
        role="similarity",
        name="clip-vit-large",
        aliases=("clip", "clip-vit-large-patch14"),
        summary="CLIP ViT-L/14, for photographs and paintings",
        weights=HubRepo(
            CLIP_TOKENIZER.repo,
            revision=CLIP_TOKENIZER.revision,
            sha256=(
                (
                    "model.safetensors",
                    "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
                ),
            ),
        ),
        licence="as stated by OpenAI (CLIP's code: MIT)",
    ),
    ModelRow(
        role="similarity",
        name="storybook-clip",
        aliases=("storybook", "bundled"),
        summary="a small CLIP that knows storybook's drawn world, bundled",
        weights=BundledFolder("storybook_clip"),
        licence="MIT",
    ),
    ModelRow(
        role="soft-edges",
        name="hed",
        aliases=("controlnet-hed",),
        summary="HED: soft edges, as ControlNets learnt them",
        weights=HubFile(
            repo="lllyasviel/Annotators",
            path="ControlNetHED.pth",
            revision="982e7edaec38759d914a963c48c4726685de7d96",
            size=29444406,
            sha256="5ca93762ffd68a29fee1af9d495bf6aab80ae86f08905fb35472a083a4c7a8fa",
        ),
        licence="Apache-2.0, as its authors' code says",
    ),
    ModelRow(
        role="segmenter",
        name="upernet-convnext-small",
        aliases=("upernet",),
        summary="UPerNet on ConvNeXt, small: 150 classes of things",
        weights=HubRepo(
            "openmmlab/upernet-convnext-small",
            revision="550b68d291f9a7e4874065c6eec0676b2ba821e6",
            sha256=(
                (
                    "pytorch_model.bin",
                    "76c163aa531ab7edfb3a77bbcc039e340645aa0ffe2b0ffcfc68755f550c76ea",
                ),
            ),
        ),
        licence="MIT",
    ),
    ModelRow(
        role="pose",
        name="vitpose-base-simple",
        aliases=("vitpose", "vitpose-base"),
        summary="ViTPose, base size: where the joints of people are",
        weights=HubRepo(
            "usyd-community/vitpose-base-simple",
            revision="a93ac0c67e0b7e2c55287d21d4c460c8f3c54d45",
            sha256=(
                (
                    "model.safetensors",
                    "85375373893ddd3641f3912821073e53f5435f9e966e1dca59d004454bfe4fdf",
                ),
            ),
        ),
        licence="Apache-2.0",
    ),
    ModelRow(
        role="person-detector",
        name="rtdetr-r50",
        aliases=("rt-detr", "rtdetr_r50vd_coco_o365"),
        summary="RT-DETR on ResNet-50: where people are",
        weights=HubRepo(
            "PekingU/rtdetr_r50vd_coco_o365",
            revision="457857cec8ac28ddede40ecee9eed2beca321af8",
            sha256=(
                (
                    "model.safetensors",
                    "831c1c04317ad1a6f7bf5b9968b450894e64b3571011c871007ab25d38b49031",
                ),
            ),
        ),
        licence="Apache-2.0",
    ),
    ModelRow(
        role="safety",
        name="stable-diffusion-safety-checker",
        summary="the checker that Stable Diffusion 1.x was published with",
        weights=HubRepo(
            "CompVis/stable-diffusion-safety-checker",
            revision="cb41f3a270d63d454d385fc2e4f571c487c253c5",
            sha256=(
                (
                    "pytorch_model.bin",
                    "64b8393f1afd5a0c1ed2aa5f341fa7c08286839a48f3743162a76a2835c808bd",
                ),
            ),
        ),
        licence="none stated on its page",
    ),
)
