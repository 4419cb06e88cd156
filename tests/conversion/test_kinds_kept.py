"""A model that only its folder says the kind of is of that kind as a file too."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from imaginairy.conversion.convert import convert
from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import ModelRow


def row(path: Path) -> ModelRow:
    return with_own_defaults(locate(DRAWS, str(path)))


@pytest.mark.parametrize(
    ("scheduler", "sampler"), [("LCMScheduler", "k_lcm"), ("DDIMScheduler", "plms")]
)
def test_what_is_converted_is_drawn_as_before(
    model: Callable[[str, str], Path], tmp_path: Path, scheduler: str, sampler: str
) -> None:
    folder, file = tmp_path / "mine", tmp_path / "of-mine.safetensors"
    shutil.copytree(model("sd1", "folder"), folder)
    says = folder / "scheduler/scheduler_config.json"
    noise = {**json.loads(says.read_text()), "_class_name": scheduler}
    says.write_text(json.dumps(noise))
    convert(str(folder), str(file))
    assert row(file).defaults == row(folder).defaults
    assert row(file).defaults.sampler == sampler
    convert(str(file), str(tmp_path / "half.safetensors"), precision="fp16")
    assert row(tmp_path / "half.safetensors").defaults == row(folder).defaults
    convert(str(folder), str(tmp_path / "unet.safetensors"), alone=True)
    over = locate(DRAWS, f"{tmp_path / 'unet.safetensors'}+{model('sd1', 'folder')}")
    assert with_own_defaults(over).defaults.sampler == sampler
    again = tmp_path / "again"
    convert(str(file), f"{again}/")
    assert row(again).defaults == row(folder).defaults
    says = again / "scheduler/scheduler_config.json"
    assert json.loads(says.read_text())["_class_name"] == scheduler
    noise = {**json.loads(says.read_text()), "_class_name": "DDIMScheduler"}
    says.write_text(json.dumps(noise))  # what a folder says now is what holds
    convert(str(again), str(tmp_path / "usual.safetensors"))
    assert row(tmp_path / "usual.safetensors").defaults.sampler == "plms"
