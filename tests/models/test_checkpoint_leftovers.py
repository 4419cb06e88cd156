"""What complete checkpoints hold besides networks changes nothing, and is said."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.checkpoints import TEXT, UNET, VAE, Named, assert_same, load_all


def copies(tensors: Named, prefix: str, to: str, *, dots: bool = True) -> Named:
    """Copy a network to another name, other than it was."""
    copied = {
        name.removeprefix(prefix): tensor + 1
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    return {
        to + (name if dots else name.replace(".", "")): tensor
        for name, tensor in copied.items()
    }


LEFTOVERS = {
    "embedding_manager": lambda t: (
        copies(t, "cond_stage_model.", "embedding_manager.embedder.")
        | {"embedding_manager.string_to_param_dict.*": torch.zeros(1, 48)}
    ),
    "first_stage_model.model_ema": lambda t: copies(
        t, VAE, f"{VAE}model_ema.", dots=False
    ),
    "cond_stage_model.model_ema": lambda t: copies(
        t, TEXT, "cond_stage_model.model_ema.", dots=False
    ),
    "ema_unet": lambda t: copies(t, UNET, "ema_unet."),
    "ema.model": lambda t: copies(t, "model.", "ema.model."),
    "lora_unet_mid": lambda _: {"lora_unet_mid_block.lora_up.weight": torch.ones(2)},
    "denoiser.sigmas": lambda _: {"denoiser.sigmas": torch.ones(1000)},
    "xbetas": lambda _: {"xbetas": torch.ones(3)},
    "first_stage_modelling": lambda _: {"first_stage_modelling.weight": torch.ones(3)},
}


@pytest.mark.parametrize("kind", LEFTOVERS)
@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
def test_what_no_network_needs_is_left_aside_in_one_line(
    compvis: Named,
    wanted: dict[str, Named],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    ending: str,
) -> None:
    file, more = tmp_path / f"model{ending}", LEFTOVERS[kind](compvis)
    whole = compvis | more
    if ending == ".ckpt":
        torch.save({"state_dict": whole}, file)
    else:
        save_file(whole, file)
    assert_same(load_all(file), wanted)
    [line] = caplog.messages
    assert line.startswith(f"{file}: left aside, as no network needs them: ")
    assert f"{len(more)} tensors ({kind}" in line
    assert len(line) < 500


@pytest.mark.parametrize("wrap", ["module.", "model.", "state_dict.", "a.b."])
def test_names_may_stand_behind_those_of_a_wrapper(
    compvis: Named,
    wanted: dict[str, Named],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    wrap: str,
) -> None:
    file = tmp_path / "model.safetensors"
    whole = {wrap + name: tensor for name, tensor in compvis.items()}
    save_file(whole, file)
    assert_same(load_all(file), wanted)
    assert not caplog.messages
    save_file({**whole, "loss.weight": torch.ones(1)}, file)
    assert_same(load_all(file), wanted)
    assert "1 tensors (loss.weight)" in caplog.text


@pytest.mark.parametrize(
    "keys", [("module",), ("model",), ("state_dict", "module"), ("model", "state_dict")]
)
def test_pickled_tensors_may_lie_in_several_wrappers(
    compvis: Named, wanted: dict[str, Named], tmp_path: Path, keys: tuple[str, ...]
) -> None:
    content: dict[str, object] = dict(compvis)
    for key in reversed(keys):
        content = {"step": 7, key: content}
    torch.save(content, tmp_path / "model.ckpt")
    assert_same(load_all(tmp_path / "model.ckpt"), wanted)
