"""The flow transformers that draw, by name, each in several packings.

Sizes and SHA-256 sums are the published ones. Where no sum is stated the file is
checked against the one that the hub announces. Text encoders and autoencoders lie in
files that several models share, and are fetched once.
"""

from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import (
    DrawingDefaults,
    HubFile,
    HubRepo,
    ModelRow,
    Packing,
    Packings,
)

REACH = 2.25
"""1536 x 1536, of 1024 x 1024."""

ZIMAGE_COMFY = "Comfy-Org/z_image_turbo"
ZIMAGE_GGUF = "leejet/Z-Image-Turbo-GGUF", "c61c0e422dc8b541b7548cf33a4ef8302b0f8085"
KLEIN_GGUF = "leejet/FLUX.2-klein-4B-GGUF", "3b1f5a9dc3abb32238b053aeb3d823c30afdacbd"
SCHNELL_GGUF = "city96/FLUX.1-schnell-gguf", "f495746ed9c5efcf4661f53ef05401dceadc17d2"
QWEN_GGUF = "unsloth/Qwen3-4B-GGUF", "22c9fc8a8c7700b76a1789366280a6a5a1ad1120"
SCHNELL_COMFY = "Comfy-Org/flux1-schnell", "7d679837b018bfeb28eca55734b335efcd0e7100"
"""Its authors give the same file to those who accept a licence first."""
FLUX_TEXTS = "comfyanonymous/flux_text_encoders"
T5_GGUF = "city96/t5-v1_1-xxl-encoder-gguf"
CHROMA_GGUF = "silveroxides/Chroma1-HD-GGUF"
OF_QWEN, OF_T5 = "a text encoder (Qwen3-4B)", "a text encoder (T5-XXL)"
OF_CLIP = "a text encoder (CLIP-L)"
"""What text encoders are told to be, see `families.strangers`."""


def _file(
    lies: str | tuple[str, str],
    path: str,
    size: int | None = None,
    sha256: str | None = None,
    about: int = 0,
    holds: str = "",
) -> HubFile:
    repo, revision = (lies, "main") if isinstance(lies, str) else lies
    return HubFile(repo, path, revision, size, sha256, about, holds)


QWEN = _file(
    ZIMAGE_COMFY, "split_files/text_encoders/qwen_3_4b.safetensors", 8044982048,
    "6c671498573ac2f7a5501502ccce8d2b08ea6ca2f661c458e708f36b36edfc5a",
    holds=OF_QWEN,
)  # fmt: skip
QWEN_Q8 = _file(
    QWEN_GGUF, "Qwen3-4B-Q8_0.gguf", 4280405792,
    "eed555233267a33c7e8ee31682762cc7751b3f6d224039086e0e846f05fffa5d",
    holds=OF_QWEN,
)  # fmt: skip
QWEN_Q4 = _file(
    QWEN_GGUF, "Qwen3-4B-Q4_K_M.gguf", 2497281312,
    "f6f851777709861056efcdad3af01da38b31223a3ba26e61a4f8bf3a2195813a",
    holds=OF_QWEN,
)  # fmt: skip
CLIP_L = _file(
    FLUX_TEXTS, "clip_l.safetensors", 246144152,
    "660c6f5b1abae9dc498ac2d21e1347d2abdb0cf6c0c0c8576cd796491d9a6cdd",
    holds=OF_CLIP,
)  # fmt: skip
T5 = _file(
    FLUX_TEXTS, "t5xxl_fp16.safetensors", 9787841024,
    "6e480b09fae049a72d2a8c5fbccb8d3e92febeb233bbe9dfe7256958a9167635",
    holds=OF_T5,
)  # fmt: skip
T5_Q8 = _file(
    T5_GGUF, "t5-v1_1-xxl-encoder-Q8_0.gguf", 5061584064,
    "9ec60f6028534b7fe5af439fcb535d75a68592a9ca3fcdeb175ef89e3ee99825",
    holds=OF_T5,
)  # fmt: skip
T5_Q4 = _file(T5_GGUF, "t5-v1_1-xxl-encoder-Q4_K_M.gguf", about=2900000000, holds=OF_T5)
FLUX1_VAE = _file(
    ZIMAGE_COMFY, "split_files/vae/ae.safetensors", 335304388,
    "afc8e28272cd15db3919bacdb6918ce9c1ed22e96cb12c4d5ed0fba823529e38",
)  # fmt: skip
FLUX2_VAE = _file(
    "Comfy-Org/flux2-dev", "split_files/vae/flux2-vae.safetensors", 336213556,
    "d64f3a68e1cc4f9f4e29b6e0da38a0204fe9a49f2d4053f0ec1fa1ca02f9c4b5",
)  # fmt: skip

ZIMAGE = Packings((
    Packing("bf16", (
        _file(
            ZIMAGE_COMFY, "split_files/diffusion_models/z_image_turbo_bf16.safetensors",
            12309866400,
            "2407613050b809ffdff18a4ac99af83ea6b95443ecebdf80e064a79c825574a6",
        ), QWEN, FLUX1_VAE,
    )),
    Packing("folder", HubRepo("Tongyi-MAI/Z-Image-Turbo"),
            (12309866400, 8044982048, 167652194)),
    Packing("q8_0", (
        _file(
            ZIMAGE_GGUF, "z_image_turbo-Q8_0.gguf", 6577440704,
            "df1c5baa86d1398c979495a6072dbcee79444fdb884a2445582ba0769c44e9a1",
        ), QWEN_Q8, FLUX1_VAE,
    )),
    Packing("q4_k", (
        _file(
            ZIMAGE_GGUF, "z_image_turbo-Q4_K.gguf", 3864250304,
            "14b375ab4f226bc5378f68f37e899ef3c2242b8541e61e2bc1aff40976086fbd",
        ), QWEN_Q4, FLUX1_VAE,
    )),
))  # fmt: skip
KLEIN = Packings((
    Packing("bf16", (
        _file(
            "black-forest-labs/FLUX.2-klein-4B", "flux-2-klein-4b.safetensors",
            7751105712,
        ), QWEN, FLUX2_VAE,
    )),
    Packing("folder", HubRepo("black-forest-labs/FLUX.2-klein-4B"),
            (7751105712, 8044982048, 168120000)),
    Packing("q8_0", (
        _file(
            KLEIN_GGUF, "flux-2-klein-4b-Q8_0.gguf", 4300629440,
            "0bba6951258ec8f92d51114a8fa13e66828297bfff58a738f52729b3ef66fa28",
        ), QWEN_Q8, FLUX2_VAE,
    )),
    Packing("fp8", (
        _file(
            "black-forest-labs/FLUX.2-klein-4b-fp8", "flux-2-klein-4b-fp8.safetensors",
            about=4100000000,
        ), QWEN_Q8, FLUX2_VAE,
    )),
    Packing("q4_0", (
        _file(
            KLEIN_GGUF, "flux-2-klein-4b-Q4_0.gguf", 2460378560,
            "d1023499ef3f2f82ff7c50e6778495195c1b6cc34835741778868428111f9ff4",
        ), QWEN_Q4, FLUX2_VAE,
    )),
))  # fmt: skip
SCHNELL = Packings((
    Packing("bf16", (
        _file(
            SCHNELL_COMFY, "flux1-schnell.safetensors", 23782506688,
            "9403429e0052277ac2a87ad800adece5481eecefd9ed334e1f348723621d2a0a",
        ), T5, CLIP_L, FLUX1_VAE,
    )),
    Packing("folder", HubRepo("black-forest-labs/FLUX.1-schnell"),
            (23782506688, 9524621000, 246144152, 167666902)),
    Packing("q8_0", (
        _file(
            SCHNELL_GGUF, "flux1-schnell-Q8_0.gguf", 12687821728,
            "f6694941193b10148dbf1f0f498d4ccd3e9875c127fc53946213b68580c66f10",
        ), T5_Q8, CLIP_L, FLUX1_VAE,
    )),
    Packing("fp8", (
        _file(
            SCHNELL_COMFY, "flux1-schnell-fp8.safetensors", 17236328572,
            "ead426278b49030e9da5df862994f25ce94ab2ee4df38b556ddddb3db093bf72",
        ),
    )),
    Packing("q4_k", (
        _file(
            SCHNELL_GGUF, "flux1-schnell-Q4_K_S.gguf", 6783943712,
            "4fd16477b3a5296d0cf722c4b92a9fd7f30d09ac7495826e4465d8de9c9fd973",
        ), T5_Q4, CLIP_L, FLUX1_VAE,
    )),
))  # fmt: skip
CHROMA = Packings((
    Packing("bf16", (
        _file(
            "lodestones/Chroma1-HD", "Chroma1-HD.safetensors", 17800038288,
            "d446d9695d08276f61e53653e025289dd96f7a489c27982a1fa54ecabc06642a",
        ), T5, FLUX1_VAE,
    )),
    Packing("folder", HubRepo("lodestones/Chroma1-HD"),
            (17800038288, 9524621000, 167666902)),
    Packing("q8_0", (
        _file(CHROMA_GGUF, "Chroma1-HD-Q8_0.gguf", about=9740000000),
        T5_Q8, FLUX1_VAE,
    )),
    Packing("q4_k", (
        _file(CHROMA_GGUF, "Chroma1-HD-Q4_K_M.gguf", 5566533792),
        T5_Q4, FLUX1_VAE,
    )),
))  # fmt: skip


def _row(
    name: str,
    family: str,
    weights: Packings,
    summary: str,
    steps: int,
    prompt_strength: float = 1.0,
    aliases: tuple[str, ...] = (),
) -> ModelRow:
    return ModelRow(
        role=DRAWS,
        name=name,
        family=family,
        aliases=aliases,
        summary=summary,
        weights=weights,
        licence="Apache-2.0",
        defaults=DrawingDefaults(
            width=1024,
            height=1024,
            steps=steps,
            prompt_strength=prompt_strength,
            sampler="k_euler",
            reach=REACH,
        ),
    )


FLOW_ROWS: tuple[ModelRow, ...] = (
    _row(
        "z-image-turbo", "z-image", ZIMAGE,
        "Z-Image-Turbo, a flow transformer of 6 billion parameters, 8 steps",
        steps=8, aliases=("z-image", "zimage"),
    ),
    _row(
        "flux2-klein-4b", "flux2", KLEIN,
        "Flux.2 [klein] of 4 billion parameters, 4 steps",
        steps=4, aliases=("flux2-klein", "klein-4b"),
    ),
    _row(
        "flux1-schnell", "flux1", SCHNELL,
        "Flux.1 [schnell] of 12 billion parameters, 4 steps",
        steps=4, aliases=("flux-schnell", "schnell"),
    ),
    _row(
        "chroma1-hd", "chroma", CHROMA,
        "Chroma1-HD of 8.9 billion parameters, guided, with negative prompts",
        steps=26, prompt_strength=4.0, aliases=("chroma1", "chroma"),
    ),
)  # fmt: skip
