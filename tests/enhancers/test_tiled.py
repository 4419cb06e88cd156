"""Tiles against the whole picture, and both against Real-ESRGAN's own."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaginairy.enhancers.tiled import ALIGNMENT, FADE, spans, upscale_tiled
from imaginairy.models.upscaler import Upscaler
from imaginairy.networks.enhancer_config import RRDBNetConfig, SRVGGConfig
from imaginairy.networks.rrdbnet import RRDBNet
from imaginairy.networks.srvgg import SRVGG
from imaginairy.published.upscaler import upscaler_part
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import CPU, drawn, goldens, save, small_upscaler

STEP = 1 / 255


def photograph(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand(1, 3, height, width, generator=generator)


def repeat(picture: Tensor) -> Tensor:
    return F.interpolate(picture, scale_factor=2.0, mode="nearest")


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize(("net", "scale"), [("rrdb_x4", 4), ("rrdb_x2", 2)])
def test_enlarges_as_real_esrgan_does(
    net: str, scale: int, tile: int | None, tmp_path: Path
) -> None:
    file = save(tmp_path / "net.pth", small_upscaler(net))
    network = upscaler_part(open_weights(file)).load(CPU, torch.float32)
    expected = goldens("upscalers")
    pixels = expected["upscaler.image_bgr_uint8"].flip(-1).permute(2, 0, 1)[None]
    result = upscale_tiled(
        lambda picture: network(picture) * 0.15 + 0.5,
        pixels / 255,
        scale=scale,
        tile=tile,
        overlap=10,
    )
    drawn = (result * 255).round()[0].permute(1, 2, 0).flip(-1)
    reference = expected[f"upscaler.{net}.tile{tile or 0}.bgr_uint8"].float()
    assert (drawn - reference).abs().max() <= 1


@pytest.mark.parametrize("tile", [8, 13, 20])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (21, 27), (64, 33)])
def test_tiled_and_whole_agree(size: tuple[int, int], tile: int) -> None:
    torch.manual_seed(4)
    config = SRVGGConfig(scale=3, channels=4, layers=2)
    network, picture, reach = SRVGG(config), photograph(*size), config.layers + 2
    tiled, whole = (
        upscale_tiled(network, picture, scale=3, tile=side, overlap=reach)
        for side in (tile, None)
    )
    assert tiled.shape == (1, 3, 3 * size[0], 3 * size[1])
    assert (tiled - whole).abs().max() < 1e-5


@pytest.mark.parametrize("scale", [1, 2])
def test_tiles_fold_pixels_as_the_whole_does(scale: int) -> None:
    config = RRDBNetConfig(scale=scale, channels=8, growth=4, blocks=1)
    network, picture = RRDBNet(config), photograph(61, 83)
    shapes = {name: tuple(w.shape) for name, w in network.state_dict().items()}
    network.load_state_dict(drawn("folding/", shapes))
    tiled, whole = (
        upscale_tiled(
            lambda small: 0.3 * network(small) + 0.5,
            picture,
            scale=scale,
            tile=side,
            overlap=14,
        )
        for side in (22, None)
    )
    # The network looks further than the overlap, but hardly.
    assert (tiled - whole).abs().max() < STEP
    assert whole.std() > 5 * STEP


def deep_network() -> RRDBNet:
    """Return one of the published depth that looks about as far as the published one.

    Trained weights spread what they see; weights drawn at random must be large for it,
    and what comes out is brought back to the size of a picture.
    """
    torch.manual_seed(0)
    network = RRDBNet(RRDBNetConfig(channels=8, growth=4))
    assert network.config.blocks == 23
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        for weight in network.blocks.parameters():
            weight *= 2.1
        made = network(photograph(16, 64))
        for parameter in network.conv_out.parameters():
            parameter *= 0.2 / made.std()
        network.conv_out.bias += 0.5
    return network.eval()


def test_tiles_of_a_deep_network_are_those_of_the_whole_picture() -> None:
    network, picture = deep_network(), photograph(16, 220)
    upscaler = Upscaler("deep", network, lambda: "")
    enough = upscaler.overlap
    whole = upscale_tiled(network, picture, scale=4, tile=None, overlap=enough)

    def worst(overlap: int) -> float:
        tiled = upscale_tiled(network, picture, scale=4, tile=110, overlap=overlap)
        return float((tiled - whole).abs().max() / STEP)

    assert worst(24) > 10  # it does look far
    assert worst(enough) < 1


@pytest.mark.parametrize(
    ("config", "overlap", "tile"),
    [
        (RRDBNetConfig(), 64, 256),
        (RRDBNetConfig(scale=2), 128, 512),  # folded: places of blocks are 2 pixels
        (RRDBNetConfig(scale=1), 256, 1024),
        (RRDBNetConfig(scale=2, doublings=1), 64, 256),
        (RRDBNetConfig(scale=8, doublings=3), 64, 128),
        (RRDBNetConfig(blocks=1), 20, 256),
        (SRVGGConfig(), 34, 224),
    ],
)
def test_tiles_and_what_they_see_go_by_the_network(
    config: RRDBNetConfig | SRVGGConfig, overlap: int, tile: int
) -> None:
    kind = RRDBNet if isinstance(config, RRDBNetConfig) else SRVGG
    with torch.device("meta"):
        upscaler = Upscaler("any", kind(config), lambda: "")  # type: ignore[arg-type]
    assert (upscaler.overlap, upscaler.tile) == (overlap, tile)


def test_one_block_looks_no_further_than_its_tiles_see() -> None:
    torch.manual_seed(3)
    network = RRDBNet(RRDBNetConfig(channels=8, growth=4, blocks=1)).eval()
    picture = photograph(24, 90)
    overlap = Upscaler("shallow", network, lambda: "").overlap
    tiled, whole = (
        upscale_tiled(network, picture, scale=4, tile=side, overlap=overlap)
        for side in (30, None)
    )
    assert (tiled - whole).abs().max() < 1e-5


def test_weights_of_all_tiles_add_up_to_one() -> None:
    for size in range(1, 80):
        for tile in range(8, 40, 3):
            total = torch.zeros(2 * size)
            for span in spans(size, tile=tile):
                first, last = span.drawn
                total[2 * first : 2 * last] += span.weights(2)
            assert torch.allclose(total, torch.ones_like(total)), (size, tile)


def test_neighbours_that_disagree_fade_into_each_other() -> None:
    calls: list[Tensor] = []

    def contrary(picture: Tensor) -> Tensor:
        calls.append(picture)
        return torch.full_like(repeat(picture), len(calls) % 2)

    result = upscale_tiled(contrary, photograph(8, 40), scale=2, tile=20, overlap=7)
    assert len(calls) == 2
    steps = result[0, 0].diff(dim=-1).abs()
    assert steps.max() <= 1 / 16 + 1e-6, "it fades over 8 pixels, 16 of the large ones"
    middle = result[0, 0, :, 39:41].sum(dim=-1)
    assert torch.allclose(middle, torch.ones_like(middle)), "and evenly"
    assert steps.sum(dim=-1).min() == pytest.approx(1)


def test_the_network_never_sees_more_than_a_tile_and_its_surroundings() -> None:
    seen: list[int] = []

    def watched(picture: Tensor) -> Tensor:
        seen.extend(picture.shape[2:])
        return repeat(picture)

    upscale_tiled(watched, photograph(150, 95), scale=2, tile=24, overlap=7)
    assert max(seen) <= 24 + 2 * (FADE + 7 + ALIGNMENT)


def test_progress_is_told_tile_by_tile() -> None:
    told: list[tuple[int, int]] = []
    upscale_tiled(
        repeat,
        photograph(40, 50),
        scale=2,
        tile=20,
        overlap=7,
        on_tile=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 6) for done in range(1, 7)]


def test_the_result_is_a_plain_picture() -> None:
    picture = photograph(9, 9).requires_grad_()
    before = picture.clone()

    def glaring(picture: Tensor) -> Tensor:
        return (3 * repeat(picture) - 1).half()

    result = upscale_tiled(glaring, picture, scale=2, tile=None, overlap=0)
    assert result.dtype == torch.float32
    assert not result.requires_grad
    assert result.min() == 0
    assert result.max() == 1
    assert torch.equal(picture, before)


def test_a_picture_is_mirrored_beyond_its_right_and_bottom_edges() -> None:
    seen: list[Tensor] = []

    def watched(picture: Tensor) -> Tensor:
        seen.append(picture)
        return repeat(picture)

    picture = photograph(20, 30)
    upscale_tiled(watched, picture, scale=2, tile=None, overlap=50)
    (whole,) = seen
    assert whole.shape == (1, 3, 30, 40)
    assert torch.equal(whole[..., :20, :30], picture)
    assert torch.equal(whole[..., 20:, :30], picture[..., -11:-1, :].flip(2))
    assert torch.equal(whole[..., :20, 30:], picture[..., -11:-1].flip(3))


def test_tiles_begin_where_pixels_are_folded_alike() -> None:
    begun: list[float] = []

    def watched(picture: Tensor) -> Tensor:
        begun.append(float(picture[0, 0, 0, 0]))
        return repeat(picture)

    columns = torch.arange(90.0).expand(1, 3, 8, 90)
    upscale_tiled(watched, columns, scale=2, tile=22, overlap=5)
    assert len(begun) > 3 and all(start % 4 == 0 for start in begun)
