"""The loop: what is learnt comes nearer, and goes on to the bit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from imaginairy.errors import BadOptionError, CheckpointError, NotFiniteError
from imaginairy.learning.course import Course
from imaginairy.learning.examples import Example, batches_of
from imaginairy.learning.kinds import KINDS
from imaginairy.learning.loss import weight_of
from imaginairy.learning.state import read_state, write_state
from imaginairy.learning.train import Training, checkpointed, rate_at
from imaginairy.models.drawing import DrawingModel
from imaginairy.samplers.discrete import NoiseSchedule

Begun = Callable[..., Training]
LEARNT = (*KINDS, "word")


def losses(training: Training, steps: int) -> list[float]:
    """Learn, and return the mean loss after each step."""
    seen: list[float] = []
    training.run(steps, lambda step, of, loss: seen.append(loss))
    return seen


def same(first: Training, second: Training) -> bool:
    """Tell whether two learnt the same, to the bit."""
    others = second.subject.tensors
    return all(torch.equal(t, others[n]) for n, t in first.subject.tensors.items())


@pytest.mark.parametrize("kind", LEARNT)
def test_what_every_kind_learns_changes_and_the_model_does_not(
    begun: Begun, model: DrawingModel, kind: str
) -> None:
    training = begun(kind=kind)
    before = {name: each.clone() for name, each in training.subject.tensors.items()}
    kept = {name: each.clone() for name, each in model.network.state_dict().items()}
    training.run(2)
    learnt = training.subject.learnt
    assert learnt
    assert all(not torch.equal(each, before[name]) for name, each in learnt.items())
    after = model.network.state_dict()
    assert all(torch.equal(each, after[name]) for name, each in kept.items())
    assert not any(
        each.changes for each in model.network.modules() if hasattr(each, "changes")
    )


def test_the_loss_falls(begun: Begun) -> None:
    seen = losses(begun(kind="lora", rank=8, layers="all", learning_rate=0.03), 30)
    assert seen[-1] < 0.8 * seen[4]


@pytest.mark.parametrize("kind", ["lora", "word"])
def test_going_on_from_a_file_comes_to_the_same_to_the_bit(
    begun: Begun, tmp_path: Path, kind: str
) -> None:
    whole, first = (
        begun(kind=kind, caption_dropout=0.3, flip=True, batch_size=2) for _ in range(2)
    )
    whole.run(5)
    first.run(3)
    path = tmp_path / "zorb.learning"
    write_state(path, first.state, {"more": "said"})
    state, said = read_state(path)
    assert said == {"more": "said"}
    second = begun(state, kind=kind, caption_dropout=0.3, flip=True, batch_size=2)
    second.run(5)
    assert same(whole, second)
    assert second.loss == pytest.approx(whole.loss)


def test_a_step_that_is_interrupted_is_not_taken(begun: Begun) -> None:
    whole, stopped = begun(), begun()
    whole.run(3)

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(3, stop)
    assert stopped.step == 2
    stopped.run(3)
    assert same(whole, stopped)


def test_computing_blocks_again_comes_to_the_same(
    begun: Begun, model: DrawingModel
) -> None:
    held, again = begun(), begun(checkpointing=True)
    held.run(2)
    again.run(2)
    assert same(held, again)
    with checkpointed(model.network):
        pass
    assert not any("forward" in vars(each) for each in model.network.modules())


def test_text_encoders_learn_where_that_is_asked_for(begun: Begun) -> None:
    training = begun(text=True)
    names = [name for name in training.subject.learnt if name.startswith("lora_te_")]
    before = {name: training.subject.tensors[name].clone() for name in names}
    training.run(2)
    moved = [
        n for n in names if not torch.equal(training.subject.tensors[n], before[n])
    ]
    assert moved == names


def test_what_runs_off_to_infinity_is_said_with_the_step(begun: Begun) -> None:
    training = begun(learning_rate=100, rank=8, layers="all")
    for tensor in training.subject.learnt.values():
        tensor.fill_(1e30)
    with pytest.raises(NotFiniteError, match="at step 1; give a lower learning rate"):
        training.run(1)
    assert training.step == 0


def test_every_picture_is_seen_in_a_round_with_those_of_its_size(
    examples: list[Example],
) -> None:
    batches = batches_of(examples, 2, 0, 0)
    assert sorted(map(sorted, batches)) == [[0, 1], [2, 2]]
    orders = {tuple(map(tuple, batches_of(examples, 1, 0, n))) for n in range(9)}
    assert len(orders) > 2
    assert {tuple(sorted(each)) for each in orders} == {((0,), (1,), (2,))}


def test_the_learning_rate_stays_or_goes_down_to_nothing() -> None:
    stays, falls = (
        Course(steps=10, learning_rate=2, decay=decay)
        for decay in ("constant", "cosine")
    )
    assert [rate_at(stays, step) for step in (0, 5, 10)] == [2, 2, 2]
    assert [rate_at(falls, step) for step in (0, 5, 10, 20)] == pytest.approx(
        [2, 1, 0, 0]
    )


def test_words_are_learnt_faster_than_adapters() -> None:
    assert Course(kind="word").rate == 5e-3
    assert Course().rate == 1e-4


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_min_snr_weights_are_those_of_the_paper(sigma: float) -> None:
    schedule, ratio = NoiseSchedule(), sigma**-2
    assert weight_of("noise", schedule, sigma, None) == 1
    weights = [
        weight_of(each, schedule, sigma, 5.0) for each in ("noise", "v", "clean")
    ]
    least = min(ratio, 5.0)
    assert weights == pytest.approx([least / ratio, least / (ratio + 1), least])


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"kind": "lora2"}, "kind 'lora2' is unknown"),
        ({"rank": 0}, "rank 0 is out of range"),
        ({"steps": 1.5}, "steps must be a whole number"),
        ({"caption_dropout": 2}, "caption_dropout 2 is out of range"),
        ({"layers": "some"}, "layers 'some' is unknown"),
        ({"alpha": -1}, "alpha -1 is out of range"),
        ({"learning_rate": 0}, "learning_rate 0 is out of range"),
        ({"snr_gamma": 0}, "snr_gamma 0 is out of range"),
        ({"flip": 1}, "flip is true or false"),
    ],
)
def test_what_cannot_be_learnt_so_is_said(
    said: dict[str, object], problem: str
) -> None:
    with pytest.raises(BadOptionError, match=problem):
        Course(**said)  # type: ignore[arg-type]


def test_a_file_of_something_else_is_no_state(tmp_path: Path, begun: Begun) -> None:
    path = tmp_path / "other.learning"
    write_state(path, begun().state, {})
    data = path.read_bytes().replace(
        b"imaginairy.learning", b"imaginairy.otherwise"[:19]
    )
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="does not say how far"):
        read_state(path)
