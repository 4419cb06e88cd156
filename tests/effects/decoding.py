"""The effect of the fields that say what decodes latents, as in `fields`."""

import torch

from tests.support.effects import Effect, Seen, noting_in
from tests.support.pictures import distance

DECODING: list[Effect] = []
judges = noting_in(DECODING)


@judges("vae", "other")
def another_vae_turns_the_same_latents_into_another_picture(
    before: Seen, after: Seen
) -> None:
    latents = (seen.steps[-1].latents for seen in (before, after))
    assert torch.equal(*latents)
    assert distance(before.image, after.image) > 1
    assert before.result.vae_hash is None and after.result.vae_hash is not None


@judges("text_encoders", ("clip.safetensors",))
def another_text_encoder_says_something_else_of_the_same_text(
    before: Seen, after: Seen
) -> None:
    first, other = (seen.steps[0].latents for seen in (before, after))
    assert 0 < (first - other).abs().mean() < first.abs().mean() / 2  # the same noise
    assert distance(before.image, after.image) > 0
    assert not before.result.text_hashes and len(after.result.text_hashes) == 1


@judges("fast_decode", True)
def the_tiny_vae_beside_the_model_decodes_the_same_latents(
    before: Seen, after: Seen
) -> None:
    latents = (seen.steps[-1].latents for seen in (before, after))
    assert torch.equal(*latents)
    assert distance(before.image, after.image) > 1
    assert before.result.decoder is None and before.result.decoder_hash is None
    assert after.result.decoder is not None
    assert after.result.decoder.endswith("/taesd_decoder.safetensors")
