"""Every setting that is read: which values it may have, and which are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.errors import CheckpointError
from imaginairy.families.table import only_supported
from imaginairy.models.checkpoint import Checkpoint, read_checkpoint
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from tests.support.checkpoints import UNET, Named, shapes_of, write_hollow

Values = tuple[tuple[Any, ...], tuple[Any, ...]]
"""Those that are taken, and those that are not."""
ONLY_NONE: Values = ((None,), ("other",))
FOLDER: dict[str, dict[str, Values]] = {
    "unet/config.json": {
        "act_fn": (("silu", "swish", None), ("mish",)),
        "norm_eps": ((1e-5,), (1e-6,)),
        "flip_sin_to_cos": ((True,), (False,)),
        "freq_shift": ((0,), (1,)),
        "center_input_sample": ((False,), (True,)),
        "mid_block_scale_factor": ((1, 1.0), (2,)),
        "downsample_padding": ((1,), (0,)),
        "mid_block_type": (("UNetMidBlock2DCrossAttn",), ("UNetMidBlock2D",)),
        "time_embedding_type": (("positional",), ("fourier",)),
        "resnet_time_scale_shift": (("default",), ("scale_shift",)),
        "resnet_out_scale_factor": ((1.0,), (2.0,)),
        "resnet_skip_time_act": ((False,), (True,)),
        "attention_type": (("default",), ("gated",)),
        "dual_cross_attention": ((False,), (True,)),
        "only_cross_attention": ((False, [False, False]), (True, [False, True])),
        "addition_embed_type": ONLY_NONE,
        "class_embed_type": ONLY_NONE,
        "cross_attention_norm": ONLY_NONE,
        "encoder_hid_dim_type": ONLY_NONE,
        "num_class_embeds": ONLY_NONE,
        "time_cond_proj_dim": ONLY_NONE,
        "time_embedding_act_fn": ONLY_NONE,
        "timestep_post_act": ONLY_NONE,
    },
    "vae/config.json": {
        "act_fn": (("silu", "swish", None), ("mish",)),
        "use_quant_conv": ((True,), (False,)),
        "use_post_quant_conv": ((True,), (False,)),
        "shift_factor": ((0, 0.1, None), ("little", True)),
        "latents_mean": ONLY_NONE,
        "latents_std": ((None,), ("other", [1, 1, 1], [1, 1, 1, 0], [1, 1, 1, True])),
        "scaling_factor": ((0.5, None), (0, -1, "big", True)),
    },
    "text_encoder/config.json": {
        "layer_norm_eps": ((1e-5,), (1e-6,)),
        "model_type": (("clip_text_model", "clip"), ("t5",)),
        "num_hidden_layers": ((1, 2), (0, 3)),
    },
    "scheduler/scheduler_config.json": {
        "prediction_type": (("epsilon", "v_prediction", "sample", None), ("score",)),
        "beta_schedule": (("scaled_linear", "linear"), ("squaredcos_cap_v2",)),
        "timestep_spacing": (("leading", "linspace", "trailing"), ("karras",)),
        "rescale_betas_zero_snr": ((False, True), ("maybe",)),
        "set_alpha_to_one": ((False, True), ("maybe",)),
        "thresholding": ((False,), (True,)),
        "use_flow_sigmas": ((False,), (True,)),
        "timestep_type": (("discrete",), ("continuous",)),
        "beta_start": ((1e-9, "1e-4", 0.999), (0, 1, -0.1, True, "x")),
        "beta_end": ((0.5,), (0, 1)),
        "num_train_timesteps": ((3, 100_000), (2, 3.5, 100_001, True)),
    },
}
BETAS: tuple[tuple[Any, bool], ...] = (
    ([0.1, 0.2], True),
    ([0.1] * 100_000, True),
    ([0.1] * 100_001, False),
    ([0.1], False),
    ([0, 0.1], False),
    ([0.1, 1], False),
    ([0.1, float("inf")], False),
    ("0.1", False),
)
MODEL_INDEX: dict[str, Values] = {
    "unet": (("UNet2DConditionModel", "FlaxUNet2DConditionModel"), ("UNet2DModel",)),
    "vae": (("AutoencoderKL", "FlaxAutoencoderKL"), ("AutoencoderTiny", "VQModel")),
    "text_encoder": (
        ("CLIPTextModel", "FlaxCLIPTextModel", "CLIPTextModelWithProjection"),
        ("T5EncoderModel",),
    ),
    "tokenizer": (("CLIPTokenizer", "CLIPTokenizerFast"), ("T5Tokenizer",)),
    "scheduler": (
        ("PNDMScheduler", "DDIMScheduler", "EDMEulerScheduler"),
        ("KarrasVeScheduler",),
    ),
    "safety_checker": (("Any",), ()),
    "feature_extractor": (("Any",), ()),
    "image_encoder": (("Any", None), ()),
    "controlnet": ((None,), ("ControlNetModel",)),
}
PIPELINES: Values = (
    (
        "StableDiffusionPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionInstructPix2PixPipeline",
    ),
    (
        "StableDiffusionXLPipeline",
        "StableDiffusion3Pipeline",
        "StableDiffusionLDM3DPipeline",
        "StableDiffusionUpscalePipeline",
        "TextToVideoSDPipeline",
        "StableVideoDiffusionPipeline",
        "StableDiffusionPanoramaPipeline",
        "StableDiffusionGLIGENPipeline",
    ),
)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    return str(caught.value)


@pytest.mark.parametrize("name", FOLDER)
def test_settings_of_a_folder(folder: Path, name: str) -> None:
    file = folder / name
    usual = json.loads(file.read_text())
    for setting, (taken, others) in FOLDER[name].items():
        for value in taken:
            file.write_text(json.dumps({**usual, setting: value}))
            read_checkpoint(folder)
        for value in others:
            file.write_text(json.dumps({**usual, setting: value}))
            message = refused(folder)
            assert f" has {setting} '" in message
            assert str(folder) in message


@pytest.mark.parametrize(("betas", "fit"), BETAS, ids=range(len(BETAS)))
def test_betas_of_its_own(folder: Path, betas: Any, fit: bool) -> None:
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({"trained_betas": betas}))
    if fit:
        assert read_checkpoint(folder).schedule.trained_betas == tuple(betas)
    else:
        assert "which is no list of 2 to 100000 numbers between 0 and 1" in refused(
            folder
        )


def test_parts_of_a_folder(folder: Path) -> None:
    file = folder / "model_index.json"
    usual = json.loads(file.read_text())
    for part, (taken, others) in MODEL_INDEX.items():
        for kind in taken:
            made_of = [None, None] if kind is None else ["diffusers", kind]
            file.write_text(json.dumps({**usual, part: made_of}))
            read_checkpoint(folder)
        for kind in others:
            file.write_text(json.dumps({**usual, part: ["diffusers", kind]}))
            assert refused(folder) == (
                f"'{file}' has {part} '{kind}', which Stable Diffusion 1.x has not; "
                "other models are not supported."
            )


def test_pipelines_of_a_folder(folder: Path) -> None:
    file = folder / "model_index.json"
    usual = json.loads(file.read_text())
    for kind in PIPELINES[0]:
        file.write_text(json.dumps({**usual, "_class_name": kind}))
        read_checkpoint(folder)
    for kind in PIPELINES[1]:
        file.write_text(json.dumps({**usual, "_class_name": kind}))
        said = refused(folder)
        assert re.match(rf"'{re.escape(str(file))}' is of a {kind}[,;] ", said)
        assert said.endswith(f"; {only_supported()}.")


# --- single files ---------------------------------------------------------------------


class Single:
    """A single file of the tiny model, and what it says of itself."""

    def __init__(self, file: Path, tensors: Named) -> None:
        self.file, self.tensors = file, tensors

    def says(
        self,
        metadata: dict[str, str] | None = None,
        markers: tuple[str, ...] = (),
        yaml: str | None = None,
    ) -> "Single":
        if metadata is None and not markers:
            write_hollow(self.file, shapes_of(self.tensors))
        else:
            marked = self.tensors | {name: torch.zeros(0) for name in markers}
            save_file(marked, self.file, metadata)
        beside = self.file.with_suffix(".yaml")
        beside.unlink(missing_ok=True)
        if yaml is not None:
            beside.write_text(yaml)
        return self

    def read(self) -> Checkpoint:
        return read_checkpoint(self.file)

    @property
    def schedule(self) -> ScheduleConfig:
        return self.read().schedule


@pytest.fixture
def single(compvis: Named, tmp_path: Path) -> Single:
    return Single(tmp_path / "model.safetensors", compvis)


NOISE, V = ScheduleConfig(), ScheduleConfig(predicts="v")
CLEAN = ScheduleConfig(predicts="clean")
ZERO = ScheduleConfig(zero_terminal_snr=True, spacing="trailing")
PREDICTION, KOHYA = "modelspec.prediction_type", "ss_v_parameterization"
METADATA: tuple[tuple[dict[str, str], tuple[str, ...], ScheduleConfig], ...] = (
    *(({PREDICTION: word}, (), NOISE) for word in ("epsilon", "eps", "noise")),
    *(
        ({PREDICTION: word}, (), V)
        for word in ("v_prediction", "v", "V_PRED", "vpred", " velocity ", "v-pred")
    ),
    *(({PREDICTION: word}, (), CLEAN) for word in ("sample", "x0", "clean")),
    *(({KOHYA: word}, (), V) for word in ("true", "True", "1", "yes", " YES ")),
    *(({KOHYA: word}, (), NOISE) for word in ("false", "0", "", "None")),
    ({"ss_zero_terminal_snr": "1"}, (), ZERO),
    ({}, ("v_pred",), V),
    ({}, ("vpred",), V),
    ({}, ("ztsnr",), ZERO),
    ({}, ("zsnr",), ZERO),
    ({PREDICTION: "epsilon", KOHYA: "true"}, (), V),
    ({PREDICTION: "epsilon"}, ("v_pred",), V),
)


def test_what_metadata_and_markers_say(
    single: Single, caplog: pytest.LogCaptureFixture
) -> None:
    """Markers are nearer to the user than metadata, and are no leftovers."""
    for metadata, markers, schedule in METADATA:
        assert single.says(metadata, markers).schedule == schedule, metadata
    assert not caplog.messages


@pytest.mark.parametrize(
    ("family", "fits"),
    [
        ("stable-diffusion-v1", True),
        (" Stable-Diffusion-V1-inpainting ", True),
        ("stable-diffusion-v1/lora", False),
        ("stable-diffusion-v2", False),
    ],
)
def test_the_family_that_metadata_say(single: Single, family: str, fits: bool) -> None:
    single.says({"modelspec.architecture": family})
    if fits:
        assert single.schedule == NOISE
    else:
        assert f"says that it is a '{family}'" in refused(single.file)


@pytest.mark.parametrize(
    ("layer", "clip_skip"), [("1", 1), ("2", 2), ("0", None), ("3", None)]
)
def test_the_layer_that_metadata_say(
    single: Single, layer: str, clip_skip: int | None
) -> None:
    single.says({"modelspec.encoder_layer": layer})
    if clip_skip is None:
        assert f"has clip_skip '{layer}', which is no whole number" in refused(
            single.file
        )
    else:
        assert single.read().clip_skip == clip_skip


PARAMS: tuple[tuple[str, ScheduleConfig], ...] = (
    ("parameterization: eps", NOISE),
    ("parameterization: v", V),
    ("linear_start: 0.001", ScheduleConfig(beta_start=0.001)),
    ("linear_end: 0.5", ScheduleConfig(beta_end=0.5)),
    ("timesteps: 77", ScheduleConfig(timesteps=77)),
    ("given_betas: [0.1, 0.2]", ScheduleConfig(trained_betas=(0.1, 0.2))),
    ("rescale_betas_zero_snr: true", ZERO),
    ("zero_terminal_snr: true", ZERO),
    ("zero_terminal_snr: null", NOISE),
    ("beta_schedule: linear", NOISE),
    ("beta_schedule: sqrt_linear", ScheduleConfig(beta_schedule="linear")),
)


def test_what_a_yaml_says_of_the_schedule(single: Single) -> None:
    for line, schedule in PARAMS:
        yaml = f"model:\n  params:\n    {line}"
        assert single.says(yaml=yaml).schedule == schedule, line
    both = {PREDICTION: "v"}
    yaml = "model: {params: {parameterization: eps}}"
    assert single.says(both, ("v_pred",), yaml).schedule == NOISE, "it is nearest"


TARGETS: dict[str, Values] = {
    "{target: %s}": (
        (
            "ldm.ddpm.LatentDiffusion",
            "a.LatentInpaintDiffusion",
            "a.LatentDepth2ImageDiffusion",
        ),
        ("LatentDiffusion", "a.LatentUpscaleDiffusion", "[1]"),
    ),
    "{params: {unet_config: {target: %s}}}": (("a.UNetModel",), ("a.UNetModelXL",)),
    "{params: {first_stage_config: {target: %s}}}": (
        ("a.AutoencoderKL", "a.AutoencoderKLInferenceWrapper"),
        ("a.VQModel",),
    ),
    "{params: {cond_stage_config: {target: %s}}}": (
        ("a.FrozenCLIPEmbedder", "a.FrozenCLIPEmbedderWithCustomWords"),
        ("a.FrozenOpenCLIPEmbedder",),
    ),
}
WITHIN: dict[str, Values] = {
    "{params: {unet_config: {params: {num_head_channels: %s}}}}": ((-1,), (64,)),
    "{params: {unet_config: {params: {transformer_depth: %s}}}}": ((1,), (2,)),
    "{params: {unet_config: {params: {num_heads: %s}}}}": ((-1, 4), (0,)),
    "{params: {cond_stage_config: {params: {layer: %s}}}}": (("last",), ("pooled",)),
    "{params: {cond_stage_config: {params: {max_length: %s}}}}": ((77,), (100,)),
}


@pytest.mark.parametrize("place", [*TARGETS, *WITHIN])
def test_what_a_yaml_says_of_the_kind(single: Single, place: str) -> None:
    taken, others = (TARGETS | WITHIN)[place]
    for value in taken:
        assert single.says(yaml=f"model: {place % value}").schedule == NOISE
    for value in others:
        single.says(yaml=f"model: {place % value}")
        assert str(value) in refused(single.file)


def test_heads_that_a_yaml_leaves_open_are_the_usual_ones(single: Single) -> None:
    place = "model: {params: {unet_config: {params: {num_heads: %s}}}}"
    for said, heads in ((-1, (8, 8)), (4, (4, 4))):
        assert (
            single.says(yaml=place % said).read().parts["denoiser"].config.heads
            == heads
        )


def test_how_long_a_yaml_may_be(single: Single) -> None:
    start = "model: {params: {timesteps: 77}}\n#"
    assert single.says(yaml=start.ljust(100_000, "x")).schedule.timesteps == 77
    single.says(yaml=start.ljust(100_001, "x"))
    beside = single.file.with_suffix(".yaml")
    assert refused(single.file) == (
        f"'{beside}' is too long for the description of a model; move it away."
    )


def test_a_long_reason_is_cut(single: Single) -> None:
    single.says(yaml="[" + "{a: b, " * 50 + "*" + "long" * 200)
    message = refused(single.file)
    assert "is not valid YAML (" in message
    assert len(message) < len(str(single.file)) + 300


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("768x512", (768, 512)),
        (" 768 , 512 ", (768, 512)),
        ("64x8192", (64, 8192)),
        ("56x512", (512, 512)),
        ("512x8200", (512, 512)),
        ("700x512", (512, 512)),
        ("768", (512, 512)),
    ],
)
def test_the_size_that_metadata_say(
    tmp_path: Path, said: str, size: tuple[int, int]
) -> None:
    file = tmp_path / "model.safetensors"
    save_file({f"{UNET}x": torch.zeros(1)}, file, {"modelspec.resolution": said})
    spec = with_own_defaults(locate(DRAWS, str(file)))
    assert spec.defaults.native_size == size
