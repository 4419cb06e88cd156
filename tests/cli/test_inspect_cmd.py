"""`aimg inspect`: what a file of weights is, from its header alone."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from imaginairy.cli.aimg import aimg
from imaginairy.cli.stores import Stores
from imaginairy.errors import CheckpointError
from imaginairy.models.checkpoint import read_checkpoint
from tests.support.checkpoints import write_hollow
from tests.support.tiny_kin import save_as_file, tiny_sd2, tiny_sdxl

Run = Callable[..., Result]
LORA = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
FLUX = {
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
    "img_in.weight": (3072, 64),
    "guidance_in.in_layer.weight": (3072, 256),
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `aimg inspect`, where the hub's cache is empty."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def run(*words: str | Path) -> Result:
        return CliRunner().invoke(aimg, ["inspect", *map(str, words)], obj=Stores())

    return run


@pytest.fixture
def facts(run: Run) -> Callable[..., dict[str, Any]]:
    """Return what `--json` says."""

    def facts(path: Path) -> dict[str, Any]:
        ran = run(path, "--json")
        assert ran.exit_code == 0, ran.output
        said: dict[str, Any] = json.loads(ran.stdout)
        return said

    return facts


Facts = Callable[[Path], dict[str, Any]]


def save_lora(file: Path, metadata: dict[str, str], rank: int = 8) -> None:
    """Write a LoRA of one matrix that says something of itself."""
    shape, size = (rank, 2048), rank * 2048 * 2
    tensor = {"dtype": "F16", "shape": shape, "data_offsets": (0, size)}
    header = {"__metadata__": metadata, f"{LORA}.lora_down.weight": tensor}
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))


# --- models ---------------------------------------------------------------------------


def test_the_bundled_model_by_its_name(run: Run) -> None:
    ran = run("storybook")
    assert ran.exit_code == 0
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    for line in (
        "what it is a model of Stable Diffusion 1.x",
        "predicts noise",
        "native size 128 x 128 pixels",
        "precision float16",
        "licence MIT",
        "missing nothing: it can be drawn with, as --model",
    ):
        assert line in lines


def test_a_folder_for_programs(facts: Facts, tiny_folder: Path) -> None:
    said = facts(tiny_folder)
    assert said["kind"] == "model" and said["usable"]
    assert said["family"] == "Stable Diffusion 1.x"
    assert said["layout"] == "a folder in the diffusers layout"
    assert said["parameters"] == sum(said["parts"].values())
    assert said["parameters"] == sum(said["precision"].values())
    assert {*said["parts"]} == {"UNet", "autoencoder", "text encoder"}


def test_a_folder_of_another_family(facts: Facts, tmp_path: Path) -> None:
    (tmp_path / "transformer").mkdir()
    index = {"_class_name": "FluxPipeline"}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    file = tmp_path / "transformer" / "diffusion_pytorch_model.safetensors"
    write_hollow(file, FLUX)
    said = facts(tmp_path)
    assert (said["kind"], said["family"]) == ("model", "Flux.1")
    assert said["licence"] == "apache-2.0"
    assert not said["usable"] and "no weights in 'text_enc" in said["missing"][0]


STRANGERS: dict[str, tuple[dict[str, tuple[int, ...]], str, str | None]] = {
    "Flux.1": (FLUX, "a model of Flux.1", "flow"),
    "Flux.2": (
        {
            "double_stream_modulation_img.lin.weight": (18432, 3072),
            "txt_in.weight": (3072, 7680),
        },
        "a model of Flux.2", "flow",
    ),
    "Chroma": (
        {"distilled_guidance_layer.in_proj.weight": (5120, 64)},
        "a model of Chroma", "flow",
    ),
    "Z-Image": ({"cap_embedder.1.weight": (3840, 2560)}, "Z-Image", "flow"),
    "Stable Diffusion 3": (
        {"joint_blocks.0.x_block.attn.qkv.weight": (4608, 1536)},
        "Stable Diffusion 3", "flow",
    ),
    "nobody's": ({"x.weight": (2, 2)}, "weights of an unknown design (x.weight)",
                 None),
}  # fmt: skip


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_models_of_other_families_predict(
    facts: Facts, tmp_path: Path, kind: str
) -> None:
    shapes, what, predicts = STRANGERS[kind]
    write_hollow(tmp_path / "x.safetensors", shapes)
    said = facts(tmp_path / "x.safetensors")
    assert (said["what"], said["prediction"]) == (what, predicts)
    assert not said["usable"]


TIMESTEPS = "1000 timesteps"
MARKED: dict[str, tuple[dict[str, torch.Tensor], str, str]] = {
    "nothing": ({}, "noise", TIMESTEPS),
    "v": ({"v_pred": torch.zeros(0)}, "v", TIMESTEPS),
    "v, zero terminal SNR": (
        {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}, "v",
        f"{TIMESTEPS}, the last noise alone (zero terminal SNR)",
    ),
    "Playground": (
        {"edm_mean": torch.zeros(1, 4, 1, 1), "edm_std": torch.ones(1, 4, 1, 1)},
        "edm", "EDM, sigma 0.002 to 80",
    ),
    "CosXL": (
        {"edm_vpred.sigma_max": torch.tensor(120.0)}, "v", "EDM, sigma 0.002 to 120",
    ),
}  # fmt: skip


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("kind", MARKED)
def test_what_a_model_of_stable_diffusion_xl_predicts(
    facts: Facts, run: Run, tmp_path: Path, kind: str, whole: bool
) -> None:
    """Of one that lacks a text encoder, too."""
    markers, predicts, noise = MARKED[kind]
    file = tmp_path / "model.safetensors"
    save_as_file(tiny_sdxl(), file, markers)
    if not whole:
        named = load_file(file)
        kept = {n: t for n, t in named.items() if ".embedders.0." not in n}
        save_file(kept, file)
    said = facts(file)
    assert (said["prediction"], said["noise"]) == (predicts, noise)
    assert said["family"] == "Stable Diffusion XL" and said["usable"] == whole
    lines = [" ".join(line.split()) for line in run(file).stdout.splitlines()]
    assert {f"predicts {predicts}", f"noise {noise}"} <= {*lines}


def test_what_nothing_tells_is_not_said(facts: Facts, tmp_path: Path) -> None:
    """The network of Stable Diffusion 2 is asked once it is loaded."""
    file = tmp_path / "model.safetensors"
    save_as_file(tiny_sd2(), file)
    assert facts(file)["prediction"] is None
    save_as_file(tiny_sd2(), file, **{"modelspec.prediction_type": "v"})
    assert facts(file)["prediction"] == "v"


def test_a_broken_model_says_what_is_missing(facts: Facts, tmp_path: Path) -> None:
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    }
    write_hollow(tmp_path / "x.safetensors", shapes)
    said = facts(tmp_path / "x.safetensors")
    assert said["family"] == "Stable Diffusion 1.x" and not said["usable"]
    assert "and no text encoder; give a file" in said["missing"][0]


# --- other files ----------------------------------------------------------------------


def test_a_file_larger_than_memory_takes_no_time(facts: Facts, tmp_path: Path) -> None:
    huge = FLUX | {"double_blocks.1.img_attn.qkv.weight": (1 << 20, 1 << 18)}
    write_hollow(tmp_path / "flux.safetensors", huge)
    said = facts(tmp_path / "flux.safetensors")
    assert said["size"] > 1 << 40
    assert said["what"] == "a model of Flux.1"
    assert said["parameters"] > 1 << 38


def test_a_model_of_another_family_in_a_checkpoint(
    facts: Facts, tmp_path: Path
) -> None:
    names = {f"model.diffusion_model.{name}": shape for name, shape in FLUX.items()}
    write_hollow(tmp_path / "x.safetensors", names)
    said = facts(tmp_path / "x.safetensors")
    assert said["family"] == "Flux.1" and not said["usable"]
    assert "and no CLIP text encoder and no T5" in said["missing"][0]


def test_a_lora_says_how_it_was_trained(run: Run, tmp_path: Path) -> None:
    metadata = {
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_network_alpha": "4.0",
        "ss_network_module": "networks.lora",
        "ss_tag_frequency": json.dumps({"3_fox": {"snow": 4, "a fox": 30}}),
        "modelspec.title": "Fox",
        "modelspec.license": "MIT",
        "modelspec.thumbnail": "data:image/jpeg;base64," + "A" * 40_000,
    }
    save_lora(tmp_path / "fox.safetensors", metadata)
    ran = run(tmp_path / "fox.safetensors")
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    for line in (
        "what it is a LoRA for Stable Diffusion XL (SDXL)",
        "rank 8",
        "alpha 4.0",
        "base model sdxl_base_v1-0",
        "trigger words a fox, snow",
        "title Fox",
        "licence MIT",
    ):
        assert line in lines
    assert "(40,023 characters)" in ran.stdout and len(ran.stdout) < 2000


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_nothing_in_a_file_commands_the_terminal(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    evil = "Fox\x1b[31m\x9b2J\u202e\nred"
    tags = json.dumps({"a": {evil: 3}})
    metadata = {"modelspec.title": evil, evil: evil, "ss_tag_frequency": tags}
    file = tmp_path / "fox\x1b[31m.safetensors"
    save_lora(file, metadata)
    ran = run(file, *words)
    assert ran.exit_code == 0
    assert all(c.isprintable() or c == "\n" for c in ran.stdout)
    assert "Fox" in ran.stdout and "red" in ran.stdout


@pytest.mark.parametrize("old", [False, True])
def test_pickles_are_read_without_what_they_hold(
    facts: Facts, tmp_path: Path, old: bool
) -> None:
    file = tmp_path / "x.pt"
    content = {"string_to_param": {"*": torch.ones(4, 768, dtype=torch.float16)}}
    torch.save(content, file, _use_new_zipfile_serialization=not old)
    said = facts(file)
    assert said["what"] == "a textual inversion for Stable Diffusion 1.x"
    assert said["precision"] == {"float16": 4 * 768}
    net = {"linear.0.weight": torch.ones(2, 768)}
    torch.save({768: (net, net)}, file, _use_new_zipfile_serialization=not old)
    assert facts(file)["kind"] == "hypernetwork"


def test_a_gguf_is_told_and_its_packing(facts: Facts, tmp_path: Path) -> None:
    name = b"double_blocks.0.img_attn.qkv.weight"
    tensor = struct.pack("<Q", len(name)) + name
    tensor += struct.pack("<IQQIQ", 2, 3072, 9216, 12, 0)
    file = tmp_path / "flux.gguf"
    with file.open("wb") as opened:
        opened.write(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor)
        opened.truncate(3072 * 9216 // 256 * 144 + 256)
    said = facts(file)
    assert (said["layout"], said["what"]) == ("GGUF", "a model of Flux.1")
    assert said["precision"] == {"Q4_K": 3072 * 9216}
    with pytest.raises(CheckpointError, match=r"flux\.gguf' holds the tra"):
        read_checkpoint(file)


def test_what_nobody_knows_is_named_by_its_tensors(
    facts: Facts, tmp_path: Path
) -> None:
    write_hollow(tmp_path / "x.safetensors", {"lorry.weight": (2,)})
    said = facts(tmp_path / "x.safetensors")
    assert said["kind"] == "unknown"
    assert said["what"] == "weights of an unknown design (lorry.weight)"


# --- folders of one file, repositories, nonsense --------------------------------------


def test_a_repository_is_looked_for_in_the_cache(run: Run, tmp_path: Path) -> None:
    ran = run("owner/repo")
    assert ran.exit_code == 2
    assert ran.stderr == (
        "Error: There is no file 'owner/repo', and 'owner/repo' is not in the cache "
        "of the hub; fetch it first: hf download owner/repo\n"
    )
    snapshot = tmp_path / "hub" / "models--owner--repo" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    save_lora(snapshot / "fox.safetensors", {})
    ran = run("owner/repo")
    assert ran.exit_code == 0
    assert "a LoRA for Stable Diffusion XL (SDXL)" in ran.stdout
    save_lora(snapshot / "more.safetensors", {})
    ran = run("owner/repo")
    assert ran.exit_code == 2
    assert "holds 2 files of weights, which are no model together; give one of " in (
        ran.stderr
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nonsense", None, "is no file, no folder, no model that is known by name"),
        ("sd15", None, "'sd15' is not on this machine; it is fetched when it is first"),
        ("x", b"", "(it is empty)"),
        ("x", b"\x89PNG\r\n", "is not a weight file but a PNG picture"),
        ("x", struct.pack("<Q", 9) + b'{"a": 1}}', "is a safetensors file that is"),
        ("x", struct.pack("<Q", 2) + b"{}", "is a safetensors file that is empty"),
        ("x", b"GGUF\x03", "is a GGUF file whose header cannot be read"),
        ("x", b"\x80\x02c__builtin__\neval\n.", "which was not loaded as that could"),
    ],
)
def test_nonsense_is_one_sentence(
    run: Run, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    ran = run(path if content is not None else name)
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert ran.stderr.startswith("Error: ") and ran.stderr.count("\n") == 1


def test_a_safetensors_file_that_is_cut_short_is_refused(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "x.safetensors"
    save_lora(file, {})
    file.write_bytes(file.read_bytes()[:-1])
    ran = run(file)
    assert ran.exit_code == 2 and "broken" in ran.stderr


def test_an_empty_folder_is_refused(run: Run, tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.exit_code == 2 and "holds no weights." in ran.stderr
