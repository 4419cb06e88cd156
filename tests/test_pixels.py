"""Pictures turned into tensors and back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imaginairy.masks.canvas import Canvas, with_mask
from imaginairy.pixels import image_to_tensor, latent_mask, tensor_to_image

GOLDENS = np.load(Path(__file__).with_name("data") / "masks.npz")


def test_tensors_become_pictures_with_fractions_cut_off() -> None:
    values = torch.tensor([-1.5, -1.0, 0.0, 0.5, 0.999, 1.0, 1.5])
    image = tensor_to_image(torch.stack([values, -values, values]).view(3, 1, 7))
    assert image.mode == "RGB"
    levels = np.asarray(image)[0]
    assert levels[:, 0].tolist() == [0, 0, 127, 191, 254, 255, 255]
    assert levels[:, 1].tolist() == [255, 255, 127, 63, 0, 0, 0]


def test_pictures_become_tensors_from_minus_1_to_1() -> None:
    levels = np.array([[[0, 51, 255]], [[255, 204, 0]]], np.uint8)
    tensor = image_to_tensor(Image.fromarray(levels))
    assert (tensor.shape, tensor.dtype) == ((1, 3, 2, 1), torch.float32)
    expected = torch.tensor([[-1.0, 1.0], [-0.6, 0.6], [1.0, -1.0]])
    assert torch.allclose(tensor[0, :, :, 0], expected, atol=1e-6)
    assert image_to_tensor(Image.new("L", (5, 4))).shape == (1, 3, 4, 5)


@pytest.mark.parametrize("mode", ["keep", "replace"])
@pytest.mark.parametrize("kind", ["binary", "soft"])
def test_latent_masks_are_the_reference_s(kind: str, mode: str) -> None:
    mask = Image.fromarray(GOLDENS[f"api.{kind}.mask_image"])
    image = Image.fromarray(GOLDENS["api.init"])
    keep = with_mask(Canvas(image, image), mask, keeps=mode == "keep").keep
    assert keep is not None
    expected = GOLDENS[f"api.{kind}.{mode}.latent_mask"]
    assert np.array_equal(latent_mask(keep, 8)[0, 0].numpy(), expected)
