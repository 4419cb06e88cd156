"""What finds faces, and what restores them: read from files and put together.

A detector is an ONNX file of YuNet's design (Wu et al. 2023,
doi:10.1007/s11633-023-1423-y), which OpenCV runs, or a folder with a `FaceFinder` of
ours. A restorer is a CodeFormer or a GFPGAN, told by its tensors: a file as published;
or a CodeFormer's folder, with a config.json that says what its tensors do not.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.models.face_views import Face, Looks, found_in_views
from imaginairy.models.saved_folder import open_folder
from imaginairy.networks.enhancer_config import FaceFinderConfig
from imaginairy.networks.face_finder import FaceFinder, placed
from imaginairy.published.codeformer import SETTINGS as CODEFORMER
from imaginairy.published.codeformer import codeformer_part, is_codeformer
from imaginairy.published.gfpgan import gfpgan_part, is_gfpgan
from imaginairy.published.kinds import kind_of
from imaginairy.settings import SIZE, ListOf, Schema, Settings, Whole, read
from imaginairy.sources.checksum import checksum
from imaginairy.sources.fetch import fetch
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.assemble import Part
from imaginairy.weights.weightfile import open_weights

FINDER_TYPE = "imaginairy-face-finder"
FINDER: Schema = {
    "channels": ListOf(Whole(1, 10_000), 1, 12, null=False),
    "width": SIZE,
    "norm_group": SIZE,
}
"""What is read of its config.json."""
RESTORER_TYPE = "codeformer"


class FaceDetector(Protocol):
    """Finds the faces of a picture."""

    name: str

    def find(self, picture: Image.Image) -> list[Face]:
        """Return the faces of an RGB picture of any size, the surest first."""


class FaceRestorer(Protocol):
    """Draws faces anew."""

    name: str
    side: int
    """Pixels of the square pictures of a face that it takes and gives."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of its weights."""

    def restore(self, faces: Tensor, fidelity: float) -> Tensor:
        """Return faces (batch, 3, side, side) in [-1, 1], aligned, restored.

        `fidelity` in [0, 1] says how close to stay to what is there.
        """


def load_detector(spec: ModelRow, device: torch.device) -> FaceDetector:
    """Load what finds faces.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    path = fetch(spec)
    if path.is_dir():
        return FinderDetector(spec.name, load_finder(path, device))
    return YuNetDetector(spec.name, path)


def load_restorer(spec: ModelRow, device: torch.device) -> FaceRestorer:
    """Load what restores faces, in float32; raises what `load_detector` does."""
    path = fetch(spec)
    settings: Settings = {}
    if path.is_dir():
        said, tensors = open_folder(path, "face restorer", RESTORER_TYPE)
        settings = read(path / CONFIG, said, CODEFORMER, "a CodeFormer")
    else:
        tensors = open_weights(path)
    if is_gfpgan(tensors.shapes):
        gfpgan = gfpgan_part(tensors).load(device, torch.float32)
        return GFPGANRestorer(spec.name, gfpgan.eval(), tensors.files)
    if not is_codeformer(tensors.shapes):
        raise CheckpointError(
            f"'{path}' holds {kind_of(tensors.shapes)}; a face restorer is a "
            "CodeFormer or a GFPGAN."
        )
    codeformer = codeformer_part(tensors, settings).load(device, torch.float32)
    return CodeFormerRestorer(spec.name, codeformer.eval(), tensors.files)


def load_finder(folder: Path, device: torch.device) -> FaceFinder:
    """Load a finder of faces of our own design."""
    settings, tensors = open_folder(folder, "face detector", FINDER_TYPE)
    where = folder / CONFIG
    said = read(where, settings, FINDER, "a face detector")
    if lacking := [name for name in FINDER if name not in said]:
        raise CheckpointError(
            f"'{where}' does not say the size of a face detector: it has no "
            f"{' and no '.join(lacking)}."
        )
    config = FaceFinderConfig(**said)
    modules = {name.rpartition(".")[0] for name in tensors.shapes}
    part = Part(FaceFinder, config, tensors, _Identity(modules), title="face detector")
    finder = part.load(device, torch.float32)
    assert isinstance(finder, FaceFinder)
    return finder.eval()


class _Identity(dict[str, str]):
    """Modules that go by the same names in a file; one that is not there by its own."""

    def __init__(self, modules: set[str]) -> None:
        super().__init__({name: name for name in modules})

    def __missing__(self, name: str) -> str:
        return name


class YuNetDetector:
    """Photographed and painted faces, found by OpenCV.

    Args:
        name: what it is called in the metadata.
        path: the ONNX file.
    """

    SIDE = 640
    """Pixels of the square that the published network takes; newer OpenCVs hold it to
    that."""
    LOOKS = Looks(whole=(320, 640), overlap=224, closest=8 * 640)
    """It knows faces of 10 to 300 pixels. Of 6000 x 4000 it is shown 128 windows."""
    SCORE = 0.7
    """A face that scores lower is none."""
    APART = 0.3
    """Of boxes that share more than this of what both cover, the surest stays."""
    MOST = 1000

    def __init__(self, name: str, path: Path) -> None:
        import cv2

        self.name = name
        logging = cv2.utils.logging
        told = logging.setLogLevel(logging.LOG_LEVEL_ERROR)  # not of its own plans
        try:
            self.network = cv2.FaceDetectorYN.create(
                str(path), "", (self.SIDE,) * 2, self.SCORE, self.APART, self.MOST
            )
            self.network.detect(np.zeros((self.SIDE, self.SIDE, 3), np.uint8))
        except cv2.error as error:
            raise CheckpointError(
                f"'{path}' is no face detector of YuNet's design; it is an ONNX file "
                "such as face_detection_yunet_2023mar.onnx."
            ) from error
        finally:
            logging.setLogLevel(told)

    def find(self, picture: Image.Image) -> list[Face]:
        """Return the faces of an RGB picture of any size, the surest first."""
        return found_in_views(picture, self.LOOKS, self._find)

    def _find(self, picture: Image.Image) -> list[Face]:
        pixels = np.zeros((self.SIDE, self.SIDE, 3), np.uint8)
        pixels[: picture.height, : picture.width] = np.asarray(picture)[..., ::-1]
        rows = self.network.detect(pixels)[1]  # of blue, green, red
        faces = []
        for row in [] if rows is None else rows.tolist():
            left, top, width, height, *numbers, score = row
            box = (left, top, left + width, top + height)
            points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
            faces.append(Face(box, points, score))
        return faces


class FinderDetector:
    """Drawn faces, found by a small network of ours.

    Args:
        name: what it is called in the metadata.
        finder: computes where its weights lie.
    """

    LOOKS = Looks(whole=(128, 384), overlap=128, closest=8 * 384)
    """It knows faces of 12 to 160 pixels."""
    SCORE = 0.6
    MULTIPLE = 32
    """Sides of the pictures that the network takes are multiples of this."""

    def __init__(self, name: str, finder: FaceFinder) -> None:
        self.name = name
        self.finder = finder

    def find(self, picture: Image.Image) -> list[Face]:
        """Return the faces of an RGB picture of any size, the surest first."""
        return found_in_views(picture, self.LOOKS, self._find)

    @torch.inference_mode()
    def _find(self, picture: Image.Image) -> list[Face]:
        device = self.finder.conv_in.weight.device
        pixels = torch.from_numpy(np.array(picture)).to(device)
        values = pixels.permute(2, 0, 1)[None].float() / 127.5 - 1
        down, right = (-side % self.MULTIPLE for side in values.shape[2:])
        score, geometry = self.finder(F.pad(values, (0, right, 0, down)))
        shares = finite(score, f"the face detector '{self.name}'", self.finder)
        shares = shares.float().sigmoid()
        peaks = shares == F.max_pool2d(shares, 3, stride=1, padding=1)
        boxes, landmarks = placed(geometry.float())
        faces = []
        for row, column in (peaks & (shares > self.SCORE))[0, 0].nonzero().tolist():
            left, top, right, bottom = boxes[0, :, row, column].tolist()
            points = landmarks[0, :, :, row, column].tolist()
            share = float(shares[0, 0, row, column])
            box = (left, top, right, bottom)
            faces.append(Face(box, tuple((x, y) for x, y in points), share))
        return faces


class _Restorer(ABC):
    """A network that restores faces, in memory.

    Args:
        name: what it is called in the metadata.
        network: computes where its weights lie.
        files: what it was read from.
    """

    def __init__(self, name: str, network: nn.Module, files: Sequence[Path]) -> None:
        self.name = name
        self.network = network
        self.files = files
        config: Any = network.config
        self.side: int = config.image_size

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of its weights."""
        return checksum(self.files)

    @torch.inference_mode()
    def restore(self, faces: Tensor, fidelity: float) -> Tensor:
        """Return aligned faces (batch, 3, side, side) in [-1, 1], restored."""
        device = next(self.network.parameters()).device
        restored = self._restored(faces.to(device), fidelity).cpu()
        return finite(restored, f"the face restorer '{self.name}'", self.network)

    @abstractmethod
    def _restored(self, faces: Tensor, fidelity: float) -> Tensor:
        """Return faces restored, where the network lies."""


class CodeFormerRestorer(_Restorer):
    """A CodeFormer in memory, which is told how close to stay."""

    def _restored(self, faces: Tensor, fidelity: float) -> Tensor:
        restored: Tensor = self.network(faces, fidelity=fidelity)
        return restored


class GFPGANRestorer(_Restorer):
    """A GFPGAN in memory, which cannot be told; its faces are blended with the old."""

    def _restored(self, faces: Tensor, fidelity: float) -> Tensor:
        restored: Tensor = self.network(faces)
        return restored.clamp(-1, 1).lerp(faces, fidelity)
