"""What is settled before a picture is begun, and what is left until it is drawn."""

import gc
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import nn, zeros

from imaginairy import ImaginePrompt, ModelStore, Observer, Step, imagine
from imaginairy.errors import CheckpointError
from imaginairy.networks.codeformer import CodeFormer
from imaginairy.networks.face_finder import FaceFinder
from imaginairy.networks.rrdbnet import RRDBNet
from imaginairy.networks.srvgg import SRVGG

FINISHING = {"upscaler", "face-detector", "face-restorer", "captioner"}


class Watching(Observer):
    """Notes what is in memory at each step."""

    def __init__(self, store: ModelStore) -> None:
        self.store = store
        self.roles: list[frozenset[str]] = []
        self.networks: list[nn.Module] = []
        self.begun = 0

    def on_start(self, prompt: ImaginePrompt, steps: int | None) -> None:
        self.begun += 1

    def on_step(self, step: Step) -> None:
        self.roles.append(self.store.loaded_roles)
        kinds = (RRDBNet, SRVGG, CodeFormer, FaceFinder)
        self.networks += [
            each
            for each in gc.get_objects()
            if issubclass(type(each), kinds) and not next(each.parameters()).is_meta
        ]


def test_what_finishes_a_picture_is_loaded_when_it_is_used() -> None:
    gc.collect()
    store = ModelStore("cpu")
    watching = Watching(store)
    prompt = ImaginePrompt(
        "a girl with long red hair", seed=1, steps=2, model="storybook",
        upscale=True, fix_faces=True, caption=True,
    )  # fmt: skip
    before = [each for each in gc.get_objects() if issubclass(type(each), nn.Module)]
    [result] = imagine(prompt, store=store, observer=watching)
    known = {id(each) for each in before}
    assert watching.roles == [frozenset({"draws"})] * 2
    assert [each for each in watching.networks if id(each) not in known] == []
    assert store.loaded_roles == {"draws", *FINISHING}
    assert {"upscale", "fix_faces", "caption"} <= result.metadata_dict()[
        "applied"
    ].keys()


@pytest.mark.parametrize("content", ["text", "a LoRA"])
def test_a_wrong_upscaler_is_refused_before_anything_is_drawn(
    tmp_path: Path, content: str, store: ModelStore
) -> None:
    file = tmp_path / "wrong.safetensors"
    if content == "text":
        file.write_text("no weights at all")
    else:
        save_file({"lora_unet.lora_up.weight": zeros(2, 2)}, file)
    with pytest.raises(CheckpointError) as loading:
        store.upscaler(str(file))
    watching = Watching(store)
    prompt = ImaginePrompt(
        "a fox", seed=1, steps=2, model="storybook", upscaler=str(file)
    )
    with pytest.raises(CheckpointError) as drawing:
        list(imagine(prompt, store=store, observer=watching))
    assert str(drawing.value) == str(loading.value)
    assert watching.begun == 0 and watching.roles == []
