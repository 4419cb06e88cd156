"""Which controls act, which are refused, and what is left of one."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from imaginairy import ImaginePrompt, imagine
from imaginairy.errors import BadOptionError, CheckpointError, UnknownModelError
from imaginairy.outputs import SaveOptions, save_result
from imaginairy.settling import settled
from tests.published.test_controlnet import compvis
from tests.support.pictures import assert_same as assert_alike
from tests.support.pictures import is_same
from tests.support.renamed import compvis_unet
from tests.support.roads import Ours, Theirs
from tests.support.tiny_controls import (
    saved_file,
    tiny_controlnet,
)
from tests.support.tiny_kin import tiny_sdxl

Ask = Callable[..., ImaginePrompt]


def test_the_rest_of_a_control_is_its_model_s(
    ours: Ours, theirs: Theirs, ask: Ask, nets: dict[str, Any], tmp_path: Path
) -> None:
    """A difference to the UNet, or matrices of low rank on it."""
    own = compvis_unet(theirs.pipeline.unet.state_dict())
    control = compvis(nets["two"][0].state_dict())
    less = {name: t - own[name] if name in own else t for name, t in control.items()}
    file = tmp_path / "less.safetensors"
    save_file(
        {k: v.contiguous() for k, v in less.items()} | {"difference": torch.zeros(0)},
        file,
    )
    whole, given = imagine(
        [ask(of="two"), ask(controls=f"{file},hint=canny")], store=ours.store
    )
    assert_alike(whole.img, given.img)


def test_what_is_no_control_of_the_model_is_refused(
    ours: Ours, ask: Ask, tmp_path: Path, tiny_folder: Path
) -> None:
    def refuse(control: object, said: str, error: type[Exception] = CheckpointError):
        with pytest.raises(error, match=said):
            settled(ask(controls=f"{control},hint=canny"), ours.store)

    other = tiny_controlnet(tiny_sdxl().unet)
    file = saved_file(other, tmp_path / "xl.safetensors")
    refuse(file, "is a ControlNet of another size than .* give one that was made for")
    wide = dict.fromkeys(("input_hint_block.0.weight",), torch.zeros(16, 3, 3, 3))
    reads = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    save_file({**wide, reads: torch.zeros(32, 2048)}, tmp_path / "flux.safetensors")
    refuse(tmp_path / "flux.safetensors", "holds no ControlNet: the tensor .* missing")
    refuse(tiny_folder / "unet", "is no control but .*UNet", CheckpointError)
    refuse("nowhere", "There is no control 'nowhere'", UnknownModelError)
    (tmp_path / "text.safetensors").write_text("no weights")
    refuse(tmp_path / "text.safetensors", "is not a weight file")


def test_a_control_says_which_hint_it_sees(ours: Ours, ask: Ask) -> None:
    name = ask().controls[0].name
    with pytest.raises(BadOptionError, match="does not say which hint it sees; say it"):
        settled(ask(controls=name), ours.store)
    with pytest.raises(BadOptionError, match="'nonsense' is no kind of hint"):
        settled(ask(controls=f"{name},hint=nonsense"), ours.store)
    with pytest.raises(BadOptionError, match="sees mlsd, a hint that is not made here"):
        settled(ask(controls=f"{name},hint=straight"), ours.store)
    order = settled(ask(controls=f"{name},hint=straight,raw"), ours.store)
    assert [each.hint for each in order.controls] == ["mlsd"]
    order = settled(ask(controls=f"{name},hint=edges"), ours.store)
    assert [each.hint for each in order.controls] == ["canny"]


def test_hints_lie_beside_the_picture_and_it_says_what_steered_it(
    ours: Ours, ask: Ask, nets: dict[str, Any], tmp_path: Path, hint: Image.Image
) -> None:
    file = nets["two"][1]
    asked = ask(
        controls=[f"{file},hint=canny", f"{file}=0.5,hint=edges", f"{file},raw"]
    )
    (result,) = imagine(asked, store=ours.store)
    said = result.metadata_dict()
    assert said["control_sha256"] == {str(file): sha256(file.read_bytes()).hexdigest()}
    path = save_result(result, tmp_path, SaveOptions())
    kinds = ("hint_canny", "hint_canny_2", "hint_raw")
    for kind in kinds:
        assert (tmp_path / kind / path.name).is_file()
    assert {*result.images} == {"generated", *kinds}
    assert is_same(result.images["hint_raw"], hint)
