"""What finds faces and what restores them: loaded, tried, and refused when broken.

`red_finder.onnx` has YuNet's design and weights set by hand; `data/make_yunet.py` says
what it finds. The bundled detector is tried on the world it was trained for.
"""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from imaginairy.errors import CheckpointError, HubUnreachableError
from imaginairy.models.face_views import Looks
from imaginairy.models.faces import (
    FaceDetector,
    FinderDetector,
    YuNetDetector,
    load_detector,
    load_restorer,
)
from imaginairy.models.store import ModelStore
from imaginairy.sources.catalog import known
from imaginairy.sources.rows import BundledFolder, HubFile, LocalPath, ModelRow
from storybook.faces.pictures import PEOPLE
from storybook.world import GROUPS, draw_scene
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.portraits import portraits
from tests.support.tiny_codeformer import TINY, save_published, save_tiny_codeformer
from tests.support.tiny_gfpgan import save_gfpgan
from tests.support.tiny_upscaler import save_upscaler

RED_FINDER = Path(__file__).parent / "data" / "red_finder.onnx"
CPU = torch.device("cpu")
RED = (240, 0, 0)


def at(path: Path, role: str = "face-detector") -> ModelRow:
    return ModelRow(role, str(path), "", LocalPath(path), "MIT")


@pytest.fixture(scope="module")
def red_finder() -> FaceDetector:
    return load_detector(at(RED_FINDER), CPU)


@pytest.fixture(scope="module")
def bundled() -> FaceDetector:
    return load_detector(known("face-detector", "storybook"), CPU)


def with_square(size: tuple[int, int], left: int, top: int, side: int) -> Image.Image:
    image = Image.new("RGB", size, "white")
    corners = (left, top, left + side - 1, top + side - 1)
    ImageDraw.Draw(image).rectangle(corners, fill=RED)
    return image


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_yunet_finds_faces_in_pixels_of_the_picture(
    red_finder: FaceDetector, scale: int
) -> None:
    image = with_square((320 * scale, 240 * scale), 64 * scale, 96 * scale, 32 * scale)
    (face,) = red_finder.find(image)
    assert face.score > 0.9
    near = {"abs": 0.01 * scale}
    assert face.box == pytest.approx(
        [scale * each for each in (48, 64, 112, 160)], **near
    )
    expected = [(68, 104), (92, 104), (80, 116), (70, 124), (90, 124)]
    assert np.array(face.landmarks) == pytest.approx(
        scale * np.array(expected, float), **near
    )


def test_yunet_sees_small_faces_of_large_pictures(red_finder: FaceDetector) -> None:
    image = with_square((2560, 1920), 128 * 4, 64 * 4, 32 * 4)
    assert len(red_finder.find(image)) == 1


@pytest.mark.parametrize("size", [(1, 1), (17, 300), (640, 641), (3000, 40)])
def test_yunet_takes_any_size_and_finds_nothing_in_white(
    red_finder: FaceDetector, size: tuple[int, int]
) -> None:
    assert red_finder.find(Image.new("RGB", size, "white")) == []
    assert red_finder.find(Image.new("RGB", size, "blue")) == []


def test_several_faces_each_once(red_finder: FaceDetector) -> None:
    image = with_square((640, 640), 32, 32, 32)
    pen = ImageDraw.Draw(image)
    pen.rectangle((320, 320, 351, 351), fill=RED)
    pen.rectangle((512, 96, 543, 127), fill=RED)
    assert len(red_finder.find(image)) == 3


@pytest.mark.parametrize("group", PEOPLE)
def test_the_bundled_detector_finds_portraits_never_trained_on(
    bundled: FaceDetector, group: str
) -> None:
    errors = []
    for scene in portraits(group)[:5]:
        (face,) = bundled.find(scene.image)
        (wanted,) = scene.faces
        size = wanted.box[2] - wanted.box[0]
        off = np.abs(np.array(face.landmarks) - np.array(wanted.landmarks))
        errors.append(off.mean() / size)
        assert np.abs(np.array(face.box) - np.array(wanted.box)).max() < 0.15 * size
    assert np.mean(errors) < 0.03
    assert max(errors) < 0.06


def test_the_bundled_detector_leaves_other_scenes_alone(bundled: FaceDetector) -> None:
    rng = random.Random(7)
    kinds = [name for name in GROUPS if name not in PEOPLE]
    found = [bundled.find(draw_scene(rng, kind).image) for kind in kinds * 2]
    assert sum(map(len, found)) <= 1


@pytest.mark.parametrize("cell", [64, 320])
def test_the_bundled_detector_finds_every_face_of_a_sheet(
    bundled: FaceDetector, cell: int
) -> None:
    sheet = Image.new("RGB", (2 * cell, 2 * cell))
    for place, scene in enumerate(portraits()[:4]):
        corner = place % 2 * cell, place // 2 * cell
        sheet.paste(scene.image.resize((cell, cell)), corner)
    found = bundled.find(sheet)
    middles = {
        (int((f.box[0] + f.box[2]) / 2 // cell), int((f.box[1] + f.box[3]) / 2 // cell))
        for f in found
    }
    assert len(found) == len(middles) == 4


@pytest.mark.parametrize("size", [(1, 1), (33, 5), (127, 130), (200, 3000)])
def test_the_bundled_detector_takes_any_size(
    bundled: FaceDetector, size: tuple[int, int]
) -> None:
    assert bundled.find(Image.new("RGB", size, "gray")) == []


def test_a_detector_is_fetched_once(tmp_path: Path) -> None:
    content = RED_FINDER.read_bytes()
    file = HubFile("someone/yunet", "finder.onnx", size=len(content))
    spec = ModelRow("face-detector", "hub", "", file, "MIT")
    with (
        HubServer({"someone/yunet": Repo({"finder.onnx": content})}) as server,
        hub_environment(HF_HOME=str(tmp_path), HF_ENDPOINT=server.url),
    ):
        for _ in range(2):
            assert isinstance(load_detector(spec, CPU), YuNetDetector)
        assert server.downloads() == ["finder.onnx"]


def test_a_restorer_from_a_folder_and_from_a_published_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    faces = torch.rand(1, 3, 64, 64) * 2 - 1
    network = save_tiny_codeformer(tmp_path / "folder")
    save_published(tmp_path / "codeformer.pth")
    for path in (tmp_path / "folder", tmp_path / "codeformer.pth"):
        restorer = load_restorer(at(path, "face-restorer"), CPU)
        assert (restorer.side, len(restorer.sha256)) == (64, 64)
        with torch.inference_mode():
            expected = network(faces, fidelity=0.5)
        assert torch.equal(restorer.restore(faces, 0.5), expected)


def test_a_gfpgan_is_told_by_its_tensors_and_blended(tmp_path: Path) -> None:
    torch.manual_seed(1)
    faces = torch.rand(2, 3, 64, 64) * 2 - 1
    network = save_gfpgan(tmp_path / "any_name.pth")
    restorer = load_restorer(at(tmp_path / "any_name.pth", "face-restorer"), CPU)
    assert (restorer.side, len(restorer.sha256)) == (64, 64)
    with torch.inference_mode():
        best = network(faces).clamp(-1, 1)
    assert torch.equal(restorer.restore(faces, 0.0), best)
    assert torch.equal(restorer.restore(faces, 1.0), faces)
    blended = restorer.restore(faces, 0.3)
    assert torch.allclose(blended, 0.7 * best + 0.3 * faces, atol=1e-6)
    assert not torch.allclose(best, faces, atol=0.1)


def test_weights_of_another_kind_are_named(tmp_path: Path) -> None:
    save_upscaler(tmp_path / "upscaler.safetensors")
    with pytest.raises(CheckpointError, match="holds an upscaler of Real-ESRGAN's"):
        load_restorer(at(tmp_path / "upscaler.safetensors", "face-restorer"), CPU)


def test_heads_and_groups_are_read_beside_the_weights(tmp_path: Path) -> None:
    config = replace(TINY, heads=4, norm_groups=8)
    network = save_tiny_codeformer(tmp_path / "folder", config)
    faces = torch.zeros(1, 3, 64, 64)
    restorer = load_restorer(at(tmp_path / "folder", "face-restorer"), CPU)
    with torch.inference_mode():
        expected = network(faces, fidelity=1.0)
    assert torch.equal(restorer.restore(faces, 1.0), expected)


def test_what_a_licence_forbids_is_said_once_and_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = ModelStore("cpu")
    for _ in range(2):
        with pytest.raises(HubUnreachableError, match=r"codeformer\.pth"):
            store.face_restorer("codeformer")
    assert caplog.text.count("allows no commercial use") == 1


def test_a_file_that_is_no_detector(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    for name, content in (("text.onnx", b"no network"), ("empty.onnx", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match="is no face detector of YuNet's"):
            load_detector(at(tmp_path / name), CPU)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model_type": "clipseg"}, "of the type 'clipseg'; a face detector is"),
        ({"channels": None}, "channels 'None', which is no list of 1 to 12 whole"),
        ({"channels": [16, 24, 32, 48]}, "unexpected"),
        ({"width": 24}, "instead of"),
        ({"norm_group": 5}, "no face detector of a workable size|instead of"),
    ],
)
def test_a_folder_that_is_no_detector(
    settings: dict[str, object], words: str, tmp_path: Path
) -> None:
    place = known("face-detector", "storybook").weights
    assert isinstance(place, BundledFolder)
    shutil.copytree(place.path, tmp_path / "copy")
    file = tmp_path / "copy" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    with pytest.raises(CheckpointError, match=words):
        load_detector(at(tmp_path / "copy"), CPU)


def test_a_restorer_of_another_design(tmp_path: Path) -> None:
    save_tiny_codeformer(tmp_path / "folder")
    (tmp_path / "folder" / "config.json").write_text('{"model_type": "gfpgan"}')
    with pytest.raises(CheckpointError, match="a face restorer is a 'codeformer'"):
        load_restorer(at(tmp_path / "folder", "face-restorer"), CPU)
    with pytest.raises(CheckpointError, match="neither a safetensors file nor"):
        load_restorer(at(RED_FINDER, "face-restorer"), CPU)


def test_a_missing_one_is_one_sentence() -> None:
    spec = ModelRow("face-restorer", "some", "", BundledFolder("nothing"), "MIT")
    with pytest.raises(CheckpointError, match=r"with fix_faces_model, such as code"):
        load_restorer(spec, CPU)


def test_yunet_runs_as_published(red_finder: YuNetDetector) -> None:
    network = red_finder.network
    assert network.getScoreThreshold() == pytest.approx(0.7)
    assert network.getNMSThreshold() == pytest.approx(0.3)
    assert (network.getTopK(), network.getInputSize()) == (1000, (640, 640))
    assert Looks((320, 640), overlap=224, closest=5120) == YuNetDetector.LOOKS
    assert Looks((128, 384), overlap=128, closest=3072) == FinderDetector.LOOKS


class Sure(torch.nn.Module):
    """Answers, in four places far apart, with so many shares of a face."""

    def __init__(self, *shares: float) -> None:
        super().__init__()
        self.conv_in = torch.nn.Conv2d(3, 1, 1)
        self.shares = shares
        self.shown: list[torch.Tensor] = []

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.shown.append(pictures)
        rows, columns = (side // 4 for side in pictures.shape[2:])
        score = torch.full((1, 1, rows, columns), -9.0)
        for place, share in enumerate(self.shares):
            score[0, 0, 4, 3 + 6 * place] = torch.tensor(share).logit()
        return score, torch.zeros(1, 14, rows, columns)


def test_our_finder_is_believed_from_three_fifths_on() -> None:
    network = Sure(0.59, 0.61, 0.9)
    found = FinderDetector("sure", network).find(Image.new("RGB", (97, 40), "white"))
    assert [face.score for face in found] == pytest.approx([0.9, 0.61])
    (shown,) = network.shown
    assert shown.shape == (1, 3, 64, 128)
    assert (shown[..., :40, :97] == 1).all()
    assert not shown[..., 40:, :].any() and not shown[..., 97:].any()
