"""Write what steers the model as small files of half precision, as others name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.published import ip_adapter, t2i_adapter
from imaginairy.published.control_forms import DOWN, LOW_RANK, UP
from imaginairy.published.controlnet import COMPVIS
from imaginairy.weights.stored import as_stored, stored_as
from storybook import settings
from storybook.controls.learners import (
    COLOURS,
    COURSES,
    EDGES,
    LIKENESS,
    learnt,
)
from storybook.training.loop import steps_done
from storybook.training.origin import write_origin

MIDDLE = "output_middle"
"""The one matrix of a product of two that the model has none of."""
GAIN = 2.0
"""How many times what edges and colours add. The errors that they learn from are least
where there is most noise, which is where they have to be heard."""
COMMAND = "controls-export"
ADDS, OUT = ("zero_convs.", "middle_block_out."), ".out_conv."
"""Names of what is last in a ControlNet, and in a light T2I-Adapter."""
LEARNS = ".parametrizations.weight."
"""What comes before the parts of a matrix that has a product of two beside it."""


def export() -> None:
    """Write what has been learnt, and where it comes from."""
    folder = settings.CONTROL_DATA
    folder.mkdir(parents=True, exist_ok=True)
    done = [name for name in FILES if steps_done(name)]
    for name in done:
        file, said, form = FILES[name]
        write(file, form(learnt(name)), {"modelspec.description": said})
    parents = [*settings.DATA.rglob("*.safetensors")]
    if LIKENESS in done:
        parents += settings.SIMILARITY_DATA.glob("*.safetensors")
    stages = {name: COURSES[name].plan for name in done}
    write_origin(folder, COMMAND, stages, sorted(parents))


def write(name: str, tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> None:
    """Write a file, and what it says of itself."""
    path = settings.CONTROL_DATA / f"{name}.safetensors"
    halves = {name: each.detach().half().contiguous() for name, each in tensors.items()}
    save_file(halves, path, metadata={**SAID, "modelspec.title": name, **said})
    path.chmod(0o644)  # the library leaves it to its owner
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)


def control_lora(learner: Any) -> dict[str, Tensor]:
    """Return a ControlNet as what it has beside the model's own matrices."""
    names = COMPVIS.names(learner.control.sizes)
    whole: dict[str, Tensor] = {LOW_RANK: torch.empty(0)}
    values = learner.control.state_dict()
    for ours in values:
        module, _, part = ours.partition(LEARNS)
        if not part:
            whole[stored_as(ours, names).name] = values[ours]
        elif part == "original" and module == MIDDLE:
            whole[names[MIDDLE] + ".weight"] = learner.control.output_middle.weight
        elif part == "original":
            theirs = stored_as(f"{module}.weight", names).name.removesuffix(".weight")
            up, down = (values[f"{module}{LEARNS}0.{end}"] for end in ("up", "down"))
            kernel = values[ours].shape[2:]
            whole[theirs + UP] = up.reshape(*up.shape, *(1 for _ in kernel))
            whole[theirs + DOWN] = down.reshape(len(down), -1, *kernel)
    return {
        name: GAIN * each if name.startswith(ADDS) else each
        for name, each in whole.items()
    }


def light_adapter(learner: Any) -> dict[str, Tensor]:
    """Return a light T2I-Adapter as its authors name it."""
    control = learner.control
    named = as_stored(control.state_dict(), t2i_adapter.light_names(control.config))
    return {k: GAIN * v if OUT in k else v for k, v in named.items()}


def image_prompt(learner: Any) -> dict[str, Tensor]:
    """Return an IP-Adapter as its authors name it: attentions have odd numbers."""
    control = learner.control
    numbers = [2 * place + 1 for place, _ in enumerate(control.config.widths)]
    return as_stored(control.state_dict(), ip_adapter.named(control.config, numbers))


SAID = {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.resolution": "128x128",
    "modelspec.author": "imaginairy",
    "modelspec.license": "MIT",
}
"""What all of them say of themselves."""
FILES: dict[str, tuple[str, str, Callable[[Any], dict[str, Tensor]]]] = {
    EDGES: ("edges", "Steers storybook by edges (canny).", control_lora),
    COLOURS: ("colours", "Steers storybook by a grid of colours.", light_adapter),
    LIKENESS: ("image-prompt", "Shows storybook a picture.", image_prompt),
}
"""What each file is called, what it is for, and how it is written."""
