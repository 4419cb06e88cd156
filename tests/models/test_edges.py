"""Edge detectors beside the formula of their paper, written out with OpenCV."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.hints.make import make_hint
from imaginairy.models.edges import EdgeFinder
from imaginairy.networks.hed import HEDConfig
from imaginairy.published.hed import hed, hed_config
from tests.support.edges import annotator, save_edges
from tests.support.tiny_upscaler import save_repeater


def formula(tensors: dict[str, Tensor], image: Image.Image) -> np.ndarray:
    """Return the edges of a picture, stage by stage."""
    x = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None]
    x = x - tensors["norm"]
    logits = []
    for stage in range(1, 6):
        if stage > 1:
            x = F.max_pool2d(x, kernel_size=2, stride=2)
        layer = 0
        while f"block{stage}.convs.{layer}.weight" in tensors:
            name = f"block{stage}.convs.{layer}"
            weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            x = F.conv2d(x, weight, bias, padding=1).relu()
            layer += 1
        name = f"block{stage}.projection"
        edges = F.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])
        side = cv2.resize(edges[0, 0].numpy(), image.size)  # bilinear by default
        logits.append(side)
    return 1 / (1 + np.exp(-np.mean(np.stack(logits).astype(np.float64), axis=0)))


@pytest.mark.parametrize("size", [(64, 48), (75, 50), (16, 16)])
def test_edges_are_those_of_the_formula(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save_edges(tmp_path / "ControlNetHED.pth")
    small = np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    store = ModelStore("cpu")
    finder: EdgeFinder = store.companion("soft-edges", str(path))
    halves = {name: tensor.half().float() for name, tensor in annotator().items()}
    wanted = formula(halves, image)
    given = finder.found(image)
    assert given.shape == size[::-1] and wanted.std() > 0.02
    assert np.abs(given - wanted).max() < 1e-5

    def find(role: str) -> EdgeFinder:
        return store.companion(role, str(path))

    hint = np.asarray(make_hint("softedge", image, size, find), np.float64)
    assert np.abs(hint - 255 * wanted[..., None]).max() < 0.51
    assert finder.found(image.resize((3, 40))).shape == (40, 3)


def test_the_published_one_is_named_and_sized_so() -> None:
    usual = HEDConfig()
    whole = annotator(0, usual.channels, usual.layers)
    assert hed_config({name: each.shape for name, each in whole.items()}) == usual
    ours = {theirs for theirs in hed(usual).values() if theirs != "norm"}
    assert ours == {name.rpartition(".")[0] for name in whole if name != "norm"}
    zipped = 29444406  # bytes of ControlNetHED.pth, in half precision
    assert 0.999 < sum(2 * each.numel() for each in whole.values()) / zipped < 1


def test_what_is_no_edge_detector_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    upscaler = save_repeater(tmp_path / "up.safetensors")
    with pytest.raises(CheckpointError, match=r"compact design; give an edge detector"):
        ModelStore("cpu").check("soft-edges", str(upscaler))
    with pytest.raises(CheckpointError, match="is a folder; an edge detector"):
        ModelStore("cpu").check("soft-edges", str(tiny_folder))
    torch.save({**annotator(), "more": torch.ones(1)}, tmp_path / "more.pth")
    with pytest.raises(CheckpointError, match="more"):
        ModelStore("cpu").check("soft-edges", str(tmp_path / "more.pth"))
