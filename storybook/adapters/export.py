"""Write the finished adapters as small files of half precision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from imaginairy.learning.state import read_state
from storybook import settings
from storybook.adapters import fewer_steps
from storybook.adapters.lessons import LESSONS, NAME, Lesson
from storybook.training.loop import steps_done
from storybook.training.origin import FILE, write_origin
from storybook.training.saving import write_json

COMMAND = "adapters-export"
SAID = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1/lora",
    "modelspec.implementation": "diffusers",
    "modelspec.resolution": "128x128",
    "modelspec.author": "imaginairy",
    "modelspec.license": "MIT",
    "ss_base_model_version": "sd_v1",
    "ss_sd_model_name": "storybook",
}
"""What all of them say of themselves."""
MODULES = {"lora": "networks.lora", "locon": "lycoris.kohya"}
"""What kohya's trainers call what learns a kind; those of LyCORIS are all one."""


def export() -> None:
    """Write what has been learnt, and where it comes from."""
    folder = settings.ADAPTER_DATA
    folder.mkdir(parents=True, exist_ok=True)
    done = [lesson for lesson in LESSONS if lesson.state().exists()]
    for lesson in done:
        tensors = read_state(lesson.state())[0].tensors
        write(lesson.name, tensors, said_of(lesson))
    if steps_done(fewer_steps.NAME):
        write(fewer_steps.FILE, learnt(), said_of_fewer_steps())
    parents = sorted(settings.DATA.rglob("*.safetensors"))
    stages = {fewer_steps.NAME: settings.TRAIN_LCM}
    write_origin(folder, COMMAND, stages, parents)
    origin = json.loads((folder / FILE).read_text(encoding="utf-8"))
    origin["stages"] += map(taken, done)
    write_json(folder / FILE, origin)


def write(name: str, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> None:
    """Write an adapter and what it says of itself."""
    path = settings.ADAPTER_DATA / f"{name}.safetensors"
    halves = {name: each.detach().half().contiguous() for name, each in tensors.items()}
    save_file(halves, path, metadata={**SAID, "ss_output_name": name, **said})
    path.chmod(0o644)  # the library leaves it to its owner
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def learnt() -> dict[str, Tensor]:
    """Return what takes fewer steps; of an alpha that is the rank nothing is said."""
    tensors = fewer_steps.learnt()
    return {name: each for name, each in tensors.items() if each.ndim}


def said_of(lesson: Lesson) -> dict[str, str]:
    """Return what an adapter says of itself, as others' trainers write it."""
    course, said = lesson.course, lesson.said
    told = {"modelspec.title": lesson.name, "modelspec.description": said}
    if course.is_word:
        kind = {"modelspec.architecture": "stable-diffusion-v1/textual-inversion"}
        return told | kind
    return told | {
        "modelspec.trigger_phrase": lesson.words,
        "ss_network_module": MODULES.get(course.kind, MODULES["locon"]),
        "ss_network_dim": str(course.rank),
        "ss_network_alpha": str(course.rank),
        "ss_network_args": json.dumps({"algo": course.kind}),
    }


def said_of_fewer_steps() -> dict[str, str]:
    """Return what the LoRA for few steps says of itself."""
    return {
        "modelspec.title": fewer_steps.FILE,
        "modelspec.description": "Draws with storybook in 4 steps.",
        "ss_network_module": MODULES["locon"],
        "ss_network_dim": str(fewer_steps.RANK),
        "ss_network_alpha": str(fewer_steps.RANK),
        "ss_network_args": json.dumps({"algo": "locon"}),
    }


def taken(lesson: Lesson) -> dict[str, Any]:
    """Return how something was learnt, as `origin.json` has it."""
    course = lesson.course
    return {
        "stage": NAME,
        "of": f"{lesson.name}.safetensors",
        "kind": course.kind,
        "steps": read_state(lesson.state())[0].step,
        "batch": course.batch_size,
        "rate": course.rate,
    }
