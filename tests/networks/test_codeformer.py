"""CodeFormer against the published implementation, and small ones of its kind."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from imaginairy.errors import CheckpointError
from imaginairy.networks.codeformer import CodeFormer, with_statistics_of
from imaginairy.networks.enhancer_config import CodeFormerConfig
from imaginairy.published.codeformer import codeformer, codeformer_part
from imaginairy.weights.weightfile import open_weights
from tests.support.enhancer_goldens import (
    CPU,
    META,
    Drawn,
    Listing,
    error_of,
    goldens,
    normal,
    publish,
    published_tensors,
)

FILE = "codeformer.pth"
TOLERANCE = 2e-3
SMALL = CodeFormerConfig(
    image_size=32,
    channels=(8, 16, 24),
    attention=(False, True, False),
    fused=(True, False, True),
    blocks_per_level=1,
    norm_groups=4,
    codes=20,
    code_width=6,
    width=16,
    layers=2,
    heads=4,
    mlp_width=24,
)
NOT_IN_SHAPES = {"heads": SMALL.heads, "norm_groups": SMALL.norm_groups}


@pytest.fixture
def small() -> CodeFormer:
    torch.manual_seed(1)
    network = CodeFormer(SMALL)
    torch.nn.init.normal_(network.positions.weight, std=0.5)
    return network.eval()


@pytest.fixture
def faces() -> Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_restores_what_the_published_implementation_restores() -> None:
    weights = Drawn("codeformer/", published_tensors()[FILE])
    network = codeformer_part(weights).load(CPU, torch.float32)
    assert isinstance(network, CodeFormer)
    check_against_goldens(network, goldens("codeformer"))


def check_against_goldens(network: CodeFormer, expected: dict[str, Tensor]) -> None:
    low = normal("input/codeformer/low", (1, 3, 32, 32))
    high = normal("input/codeformer/high", (1, 3, 512, 512))
    low = F.interpolate(low, size=(512, 512), mode="bilinear", align_corners=False)
    face = torch.tanh(0.7 * low + 0.1 * high)
    patch = (..., slice(200, 232), slice(240, 272))
    assert torch.allclose(face[patch], expected["in_patch"], atol=1e-6)
    with torch.inference_mode():
        vectors, features = network.encode(face)
        seen = vectors[:, ::16, ::4, ::4]
        assert error_of(seen, expected["lq_feat_strided"]) < TOLERANCE
        indices = network.predict(vectors).argmax(dim=-1)
        assert torch.equal(indices, expected["code_indices"].long())
        codes = network.look_up(indices)
        codes = with_statistics_of(vectors, codes)
        faint = network.decode(codes, features, 0.2)
        assert error_of(faint[patch], expected["out_patch.w0.2"]) < TOLERANCE
        faint = faint[:, :, ::8, ::8]
        assert error_of(faint, expected["out_strided8.w0.2"]) < TOLERANCE


def test_the_published_file_loads_to_the_last_tensor() -> None:
    tensors = published_tensors()[FILE]
    part = codeformer_part(Listing(tensors))
    assert part.config == CodeFormerConfig()
    network = part.load(META, torch.float32)
    assert len(network.state_dict()) == len(tensors) == 515


def test_a_small_one_comes_back_from_its_file(
    small: CodeFormer, faces: Tensor, tmp_path: Path
) -> None:
    tensors = publish(small, codeformer(SMALL))
    assert "position_emb" in tensors
    save_file(tensors, tmp_path / "small.safetensors")
    part = codeformer_part(open_weights(tmp_path / "small.safetensors"), NOT_IN_SHAPES)
    assert part.config == SMALL
    loaded = part.load(CPU, torch.float32)
    with torch.inference_mode():
        assert torch.equal(loaded(faces, fidelity=0.5), small(faces, fidelity=0.5))


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, blocks_per_level=2, fused=(False, False, False)),
        replace(SMALL, channels=(8, 8), attention=(True, True), fused=(True, True)),
        replace(SMALL, image_size=64, blocks_per_level=3, image_channels=1),
        replace(SMALL, norm_groups=0, attention=(False, False, True)),
    ],
)
def test_sizes_are_read_off_the_shapes(config: CodeFormerConfig) -> None:
    with torch.device("meta"):
        tensors = publish(CodeFormer(config), codeformer(config))
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    beside = {"heads": config.heads, "norm_groups": config.norm_groups}
    part = codeformer_part(Listing(shapes), beside)
    assert part.config == config
    part.load(META, torch.float32)


def test_the_whole_is_its_parts(small: CodeFormer, faces: Tensor) -> None:
    with torch.inference_mode():
        vectors, features = small.encode(faces)
        assert [tuple(f.shape[1:]) for f in features] == [
            (8, 32, 32),
            (16, 16, 16),
            (24, 8, 8),
        ]
        codes = small.look_up(small.predict(vectors).argmax(dim=-1))
        plain = small.decode(codes, features, 0.7)
        matched = small.decode(with_statistics_of(vectors, codes), features, 0.7)
        assert torch.equal(small(faces, fidelity=0.7, adain=False), plain)
        assert torch.equal(small(faces, fidelity=0.7), matched)
    assert plain.shape == faces.shape
    assert not torch.allclose(plain, matched)


def test_without_fidelity_the_codes_alone_draw(
    small: CodeFormer, faces: Tensor
) -> None:
    with torch.inference_mode():
        vectors, features = small.encode(faces)
        alone = small.decode(vectors)
        assert torch.equal(small.decode(vectors, features, 0.0), alone)
        moved = [
            float((small.decode(vectors, features, fidelity) - alone).abs().mean())
            for fidelity in (0.1, 0.5, 1.0)
        ]
    assert moved == sorted(moved)
    assert moved[0] > 0


def test_positions_matter(small: CodeFormer) -> None:
    flat = torch.zeros(1, SMALL.code_width, SMALL.code_side, SMALL.code_side)
    with torch.inference_mode():
        same_everywhere = small.predict(flat)
    # Only queries and keys know their place, so equal values mix to the same.
    assert torch.allclose(same_everywhere, same_everywhere[:, :1], atol=1e-5)
    vectors = torch.rand(flat.shape)
    with torch.inference_mode():
        scores = small.predict(vectors)
        turned = small.predict(vectors.flip(2, 3)).flip(1)
    assert not torch.allclose(scores, turned, atol=1e-3)


def test_statistics_are_taken_over() -> None:
    generator = torch.Generator().manual_seed(3)
    style = 3 + 2 * torch.randn(2, 4, 8, 8, generator=generator)
    content = torch.randn(2, 4, 8, 8, generator=generator)
    result = with_statistics_of(style, content)
    assert torch.allclose(result.mean((2, 3)), style.mean((2, 3)), atol=1e-4)
    assert torch.allclose(result.std((2, 3)), style.std((2, 3)), atol=1e-4)


def test_a_code_is_nearest_to_itself(small: CodeFormer) -> None:
    indices = torch.arange(2 * SMALL.code_side**2).view(2, -1) % SMALL.codes
    assert torch.equal(small.nearest(small.look_up(indices)), indices)


def test_every_weight_learns(small: CodeFormer, faces: Tensor) -> None:
    vectors, features = small.encode(faces)
    codes = small.look_up(small.nearest(vectors))
    drawn_faces = small.decode(vectors + (codes - vectors), features, 1.0)
    loss = drawn_faces.square().mean() + small.predict(vectors).square().mean()
    loss.backward()
    assert all(weight.grad is not None for weight in small.parameters())


def test_half_weights_give_back_the_pictures_type(
    small: CodeFormer, faces: Tensor
) -> None:
    with torch.inference_mode():
        assert small.bfloat16()(faces, fidelity=0.5).dtype == faces.dtype


def test_tensors_of_another_design_are_refused() -> None:
    listing = Listing(published_tensors()["RealESRGAN_x4plus.pth"])
    with pytest.raises(CheckpointError, match=r"holds no CodeFormer"):
        codeformer_part(listing)
