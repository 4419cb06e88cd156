"""What is kept of pictures that a network is asked about again."""

import torch

from imaginairy.kept import Kept

MAPS = torch.arange(6.0).reshape(3, 2)


def test_what_was_kept_is_there_as_it_was() -> None:
    kept = Kept(3)
    assert kept.get("maps") is None
    kept.keep("maps", MAPS)
    assert kept.get("maps") is MAPS
    assert kept.get("others") is None


def test_what_all_have_each_has_alone() -> None:
    kept = Kept(3)
    kept.keep("maps", MAPS)
    for index in range(3):
        alone = kept[index : index + 1].get("maps")
        assert alone is not None
        assert torch.equal(alone, MAPS[index, None])
    pair = kept[1:].get("maps")
    assert pair is not None
    assert torch.equal(pair, MAPS[1:])


def test_what_each_has_all_have() -> None:
    kept = Kept(3)
    for index in range(3):
        assert kept.get("maps") is None, "one has nothing yet"
        kept[index : index + 1].keep("maps", 2 * MAPS[index, None])
    whole = kept.get("maps")
    assert whole is not None
    assert torch.equal(whole, 2 * MAPS)


def test_the_newest_is_kept_until_it_is_forgotten() -> None:
    kept = Kept(3)
    kept.keep("maps", MAPS)
    kept.keep("others", MAPS)
    kept[1:2].keep("maps", torch.zeros(1, 2))
    whole = kept.get("maps")
    assert whole is not None
    assert whole.tolist() == [[0, 1], [0, 0], [4, 5]]
    kept[:1].forget("maps")
    assert kept.get("maps") is None
    assert kept[1:].get("maps") is not None
    assert kept.get("others") is MAPS


def test_pictures_that_share_a_tensor_in_another_order_are_not_mixed_up() -> None:
    kept = Kept(3)
    kept.keep("maps", MAPS)
    kept[:1].keep("maps", torch.full((1, 2), 9.0))
    whole = kept.get("maps")
    assert whole is not None
    assert whole.tolist() == [[9, 9], [2, 3], [4, 5]]
