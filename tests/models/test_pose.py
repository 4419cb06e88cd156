"""Poses: people cut out, maps beside transformers', and joints read off maps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import VitPoseForPoseEstimation

from imaginairy import ModelStore
from imaginairy.errors import CheckpointError
from imaginairy.hints.make import make_hint
from imaginairy.models.pose import Frame, PoseFinder, PoseInput, joints
from tests.support.poses import save_people, save_pose

SIZE = (120, 90)


def finder(folder: Path) -> PoseFinder:
    found: PoseFinder = ModelStore("cpu").companion("pose", str(folder))
    return found


def picture() -> Image.Image:
    small = np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8)
    return Image.fromarray(small).resize(SIZE, Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("box", "frame"),
    [
        ((10, 10, 40, 50), (25 - 18.75, 30 - 25, 37.5, 50)),
        ((10, 10, 14, 50), (12 - 18.75, 30 - 25, 37.5, 50)),
        ((0, 0, 60, 8), (30 - 37.5, 4 - 50, 75, 100)),
    ],
)
def test_a_frame_holds_a_quarter_more_at_the_shape_that_is_seen(
    box: tuple[float, ...], frame: tuple[float, ...]
) -> None:
    found = PoseInput().frame(np.array(box, np.float32))
    assert [found.left, found.top, found.width, found.height] == pytest.approx(frame)


def test_a_person_is_cut_out_pixel_by_pixel() -> None:
    """A picture whose red is x and whose green is y tells where each pixel is from."""
    y, x = np.mgrid[:90, :120]
    image = Image.fromarray(np.stack([x, y, 0 * x], axis=2).astype(np.uint8))
    seen = PoseInput(48, 64, mean=(0, 0, 0), deviation=(1, 1, 1), scale=1.0)
    cut = seen.of(image, Frame(-20, 10, 94, 126)).numpy()
    assert cut.shape == (3, 64, 48)
    across, down = -20 + 2 * np.arange(48), 10 + 2 * np.arange(64)
    inside = ((across >= 0)[None] & (down <= 89)[:, None]).astype(float)
    assert (cut[0] == across[None] * inside).all()
    assert (cut[1] == down[:, None] * inside).all()
    half = seen.of(image, Frame(3.25, 4, 47, 63)).numpy()
    assert half[0, 0, :3].tolist() == [3, 4, 5] and half[1, :3, 0].tolist() == [4, 5, 6]


@pytest.mark.parametrize(("simple", "experts"), [(True, 1), (False, 1), (False, 3)])
def test_maps_are_theirs(tmp_path: Path, simple: bool, experts: int) -> None:
    save_pose(tmp_path, simple=simple, experts=experts)
    theirs = VitPoseForPoseEstimation.from_pretrained(tmp_path).eval()
    ours = finder(tmp_path)
    frames = [Frame(0, 0, 60, 80), Frame(-10, 20, 75, 100)]
    seen = torch.stack([ours.pose_input.of(picture(), frame) for frame in frames])
    more = {"dataset_index": torch.tensor([0, 0])} if experts > 1 else {}
    with torch.inference_mode():
        wanted = theirs(pixel_values=seen, **more).heatmaps.numpy()
    given = ours.maps(picture(), frames)
    assert given.shape == wanted.shape == (2, 17, 16, 12)
    assert np.abs(given - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_joints_are_read_between_the_pixels_of_maps() -> None:
    chance = np.random.default_rng(3)
    x, y = chance.uniform(3, 44, 17), chance.uniform(3, 60, 17)
    across, down = np.arange(48), np.arange(64)[:, None]
    away = (across - x[:, None, None]) ** 2 + (down - y[:, None, None]) ** 2
    maps = (0.9 * np.exp(-away / 8)).astype(np.float32)
    found = joints(maps, Frame(100, 50, 2 * 47, 3 * 63))
    assert found[:, 0] == pytest.approx(100 + 2 * x, abs=0.02)
    assert found[:, 1] == pytest.approx(50 + 3 * y, abs=0.02)
    assert (found[:, 2] > 0.8).all()
    flat = joints(np.zeros((17, 64, 48), np.float32), Frame(0, 0, 10, 10))
    assert not flat[:, 2].any() and np.isfinite(flat).all()


def test_a_hint_shows_everyone_who_is_found(tmp_path: Path) -> None:
    save_pose(tmp_path / "pose")
    save_people(tmp_path / "people")
    store = ModelStore("cpu")
    folders = {"pose": tmp_path / "pose", "person-detector": tmp_path / "people"}

    def find(role: str) -> object:
        return store.companion(role, str(folders[role]))

    boxes = store.companion("person-detector", str(folders["person-detector"])).found(
        picture()
    )
    bodies = finder(folders["pose"]).found(picture(), boxes)
    assert bodies.points.shape == (len(boxes), 17, 3) and len(boxes) > 0
    assert (bodies.width, bodies.height) == SIZE
    hint = make_hint("openpose", picture(), SIZE, find)
    assert hint.size == SIZE and hint.getbbox() is not None
    none = finder(folders["pose"]).found(picture(), boxes[:0])
    assert none.points.shape == (0, 17, 3)


def test_what_is_no_pose_model_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    save_pose(tmp_path, points=9)
    with pytest.raises(
        CheckpointError, match=r"finds 9 points of a body; .* 17 of COCO"
    ):
        ModelStore("cpu").check("pose", str(tmp_path))
    save_pose(tmp_path)
    said = tmp_path / "preprocessor_config.json"
    said.write_text(said.read_text().replace("48", "32"))
    with pytest.raises(CheckpointError, match=r"sees 48x64 .* is to be handed 32x64"):
        ModelStore("cpu").check("pose", str(tmp_path))
    with pytest.raises(CheckpointError):
        ModelStore("cpu").check("pose", str(tiny_folder))
