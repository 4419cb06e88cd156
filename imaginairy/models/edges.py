"""HED (Xie and Tu, arXiv:1504.06375): how sure it is that there is an edge."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch.nn import functional as F

from imaginairy.errors import CheckpointError
from imaginairy.finite import finite
from imaginairy.networks.hed import HED
from imaginairy.published.hed import hed_part
from imaginairy.sources.checksum import Checksum
from imaginairy.sources.fetch import fetch
from imaginairy.sources.rows import ModelRow
from imaginairy.weights.weightfile import open_weights


@dataclass
class EdgeFinder:
    """An edge detector in memory."""

    name: str
    network: HED
    """Computes where its weights lie, in float32."""
    weights_sha256: Callable[[], str] = field(repr=False)
    """Gives the SHA-256 of the weights, summed up when it is first asked for."""

    @torch.inference_mode()
    def found(self, image: Image) -> npt.NDArray[np.float32]:
        """Say how sure it is of each pixel of a picture that there is an edge.

        Args:
            image: RGB, upright.

        Returns:
            (height, width) of the picture, in [0, 1].
        """
        values = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None]
        least = self.network.config.smallest
        right, down = (max(0, least - side) for side in image.size)
        padded = F.pad(values, (0, right, 0, down), mode="replicate")
        edges = self.network(padded.to(self.network.shift.device))
        edges = finite(edges, f"the edge detector '{self.name}'", self.network)
        return edges[0, 0, : image.height, : image.width].cpu().numpy()


def load_edges(spec: ModelRow, device: torch.device) -> EdgeFinder:
    """Load an edge detector, in float32, so that it says the same on every device.

    Raises:
        CheckpointError: it is broken, unsafe or of another design.
        DownloadError: it could not be fetched.
    """
    path = fetch(spec)
    if not path.is_file():
        raise CheckpointError(
            f"'{path}' is a folder; an edge detector is a .pth or .safetensors file."
        )
    tensors = open_weights(path)
    network = cast(HED, hed_part(tensors).load(device, torch.float32))
    return EdgeFinder(spec.name, network, Checksum(tuple(tensors.files)))
