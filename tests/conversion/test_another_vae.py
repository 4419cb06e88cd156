"""A model that is written with another autoencoder in place of its own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from imaginairy.conversion.convert import convert
from tests.support.tiny_kin import tiny_sdxl
from tests.support.written import said, tensors

Model = Callable[[str, str], Path]
VAE = "first_stage_model."


def test_another_autoencoder_takes_the_place(model: Model, tmp_path: Path) -> None:
    base, out = model("sdxl", "file"), tmp_path / "out.safetensors"
    vae = tmp_path / "vae.safetensors"
    torch.manual_seed(9)
    save_file(tiny_sdxl().vae.state_dict(), vae)
    held = load_file(vae)
    save_file({name: tensor + 1 for name, tensor in held.items()}, vae)
    done = convert(str(base), str(out), vae=str(vae))
    before, after = load_file(base), tensors(out)
    assert not done.unread
    others = {n for n in before if not before[n].equal(after[n])}
    assert others == {name for name in before if name.startswith(VAE)}
    assert said(out)["modelspec.merged_from"] == "model, the VAE vae.safetensors"


def test_what_was_said_of_an_autoencoder_that_is_replaced_goes_with_it(
    model: Model, tmp_path: Path
) -> None:
    """One that holds in half precision may be replaced by one that does not."""
    folder, vae = tmp_path / "folder", tmp_path / "vae.safetensors"
    shutil.copytree(model("sdxl", "folder"), folder)
    (own := next((folder / "vae").glob("*.safetensors"))).rename(vae)
    shutil.copy(vae, own)
    file = folder / "vae" / "config.json"
    before = {**json.loads(file.read_text()), "force_upcast": False, "of": "it"}
    file.write_text(json.dumps(before))
    for out, given in (("own/", None), ("other/", str(vae))):
        convert(str(folder), f"{tmp_path}/{out}", vae=given)
        says = json.loads((tmp_path / out / "vae" / "config.json").read_text())
        assert ("force_upcast" in says, "of" in says) == (given is None, given is None)
