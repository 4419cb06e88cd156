"""What a network is told, laid along a batch, padded, and read by its mask."""

import pytest
import torch
from torch import Tensor

from imaginairy.conditioning import Conditioning
from imaginairy.networks.config import UNetConfig
from imaginairy.networks.unet import UNet


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def whole(seed: int, batch: int, tokens: int) -> Conditioning:
    """Return one with every part."""
    read = torch.ones(batch, tokens, dtype=torch.bool)
    read[:, -1] = False
    return Conditioning(
        noise(seed, batch, tokens, 4),
        noise(seed, batch, 3),
        noise(seed, batch, 2),
        read,
        control=noise(seed, batch, 2),
        references=[noise(seed, batch, 4, 2, 2), noise(seed, batch, 4, 2, 6)],
    )


def assert_same(ours: Conditioning, wanted: Conditioning) -> None:
    for name in ("tokens", "pooled", "ids", "mask", "control"):
        one, other = getattr(ours, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert torch.equal(one, other), name
    for one, other in zip(ours.references, wanted.references, strict=True):
        assert torch.equal(one, other)


def test_of_one_length_nothing_is_padded_and_no_mask_arises() -> None:
    first, second = Conditioning(noise(1, 2, 5, 4)), Conditioning(noise(2, 1, 5, 4))
    both = first.beside(second)
    assert len(both) == 3
    assert_same(both, Conditioning(torch.cat([first.tokens, second.tokens])))
    assert first.padded(5) is first and first.padded(3) is first


def test_the_shorter_is_padded_with_what_is_not_read() -> None:
    short, long = Conditioning(noise(1, 1, 2, 4)), Conditioning(noise(2, 2, 3, 4))
    for both in (short.beside(long), Conditioning.stacked([short, long])):
        assert torch.equal(both.tokens[0, :2], short.tokens[0])
        assert torch.equal(both.tokens[1:], long.tokens)
        assert both.mask is not None
        assert both.mask.tolist() == [[True, True, False], [True] * 3, [True] * 3]


def test_every_part_goes_along() -> None:
    first, second = whole(1, 2, 3), whole(2, 1, 5)
    both = first.beside(second)
    assert_same(both[:2], first.padded(5))
    assert_same(both[2], second)
    assert_same(both[-1], second)
    assert_same(both.repeated(2)[3:], both)
    assert_same(second.repeated(3)[1:2], second)
    assert both.repeated(1) is both
    with pytest.raises(IndexError):
        both[3]


def test_only_embeddings_change_their_type() -> None:
    moved = whole(1, 1, 3).to(torch.device("cpu"), torch.float16)
    assert moved.tokens.dtype == torch.float16
    assert moved.pooled is not None and moved.pooled.dtype == torch.float16
    assert moved.ids is not None and moved.ids.dtype == torch.float32
    assert moved.mask is not None and moved.mask.dtype == torch.bool


def test_what_only_some_have_is_not_laid_together() -> None:
    plain = Conditioning(noise(1, 1, 3, 4))
    with pytest.raises(ValueError, match="Of 2 conditionings, 1 have 'pooled'"):
        plain.beside(whole(1, 1, 3))
    with pytest.raises(ValueError, match="no conditioning"):
        Conditioning.stacked([])


def test_a_unet_does_not_read_what_the_mask_hides() -> None:
    torch.manual_seed(0)
    config = UNetConfig(
        channels=(32, 32),
        down=((1,), (0,)),
        up=((0, 0), (1, 1)),
        heads=(2, 2),
        context_dim=4,
    )
    unet = UNet(config).eval()
    said, other = Conditioning(noise(1, 1, 5, 4)), Conditioning(noise(3, 1, 9, 4))
    latents, timesteps = noise(4, 2, 4, 8, 8), torch.tensor([500.0, 20.0])
    with torch.inference_mode():
        alone = unet(latents[:1], timesteps[:1], said)
        beside = unet(latents, timesteps, said.beside(other))
        junk = said.padded(9)
        junk.tokens[:, 5:] = 100 * noise(2, 1, 4, 4)
        padded = unet(latents[:1], timesteps[:1], junk)
        read = unet(latents[:1], timesteps[:1], Conditioning(junk.tokens))
        torch.testing.assert_close(beside[1:], unet(latents[1:], timesteps[1:], other))
    torch.testing.assert_close(padded, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(beside[:1], alone, rtol=0, atol=1e-5)
    assert (read - alone).abs().max() > 0.01, "without a mask, all is read"
