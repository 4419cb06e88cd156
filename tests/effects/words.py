"""The effects of learned words and hypernetworks; see `fields.py`."""

import torch

from tests.support.effects import Effect, Seen, noting_in

WORDS: list[Effect] = []
judges = noting_in(WORDS)


@judges("embeddings", ("zorb.safetensors",), prompt="a zorb")
def a_learned_word_is_read_in_place_of_its_letters(before: Seen, after: Seen) -> None:
    same, other = (seen.asked[0].context for seen in (before, after))
    assert torch.equal(same[0], other[0]), "what is avoided does not say it"
    assert torch.equal(same[1][:2], other[1][:2]), "it stands behind these"
    assert (same[1][2] - other[1][2]).abs().mean() > 0.01
    twice = after.draw(prompt="a zorb", embeddings=(), negative_prompt="zorb")
    assert torch.equal(twice.asked[0].context[1], before.asked[0].context[1])


@judges("hypernetworks", ("hyper.pt=0.5",))
def a_hypernetwork_changes_what_attentions_look_at(before: Seen, after: Seen) -> None:
    assert torch.equal(before.asked[0].context, after.asked[0].context)
    first, second = (seen.asked[0].noise for seen in (before, after))
    assert (first - second).abs().mean() > 1e-3
    named = after.draw(prompt="a red fox <hypernet:hyper.pt:0.5>", hypernetworks=())
    assert torch.equal(named.asked[0].noise, second)
