"""Matrices are made orthogonal, and workers that share this make the same steps."""

from pathlib import Path

import pytest
import torch
from torch import nn

from storybook.training.muon import Muon, matrices_of, orthogonalized, share_out
from storybook.training.workers import Team, run_workers


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(16, 80, 3, padding=1), nn.SiLU(), nn.Conv2d(80, 70, 1)
    ).to(memory_format=torch.channels_last)


def test_singular_values_come_near_to_one() -> None:
    torch.manual_seed(1)
    for rows, columns in ((70, 300), (300, 70), (96, 96)):
        made = orthogonalized(torch.randn(rows, columns) * 5)
        values = torch.linalg.svdvals(made)
        assert made.shape == (rows, columns)
        assert values.median() > 0.7 and values.max() < 1.3


def test_only_large_matrices_are_taken() -> None:
    module = nn.ModuleList(
        [
            nn.Linear(80, 90),
            nn.Linear(80, 20),
            nn.Conv2d(8, 80, 3),
            nn.Conv2d(4, 80, 3),
            nn.Embedding(100, 100),
            nn.LayerNorm(100),
        ]
    )
    shapes = [tuple(each.shape) for each in matrices_of(module)]
    assert shapes == [(90, 80), (80, 8, 3, 3)]


def test_work_is_shared_out_evenly() -> None:
    assert share_out([5.0, 3.0, 2.0, 4.0], 2) == [0, 1, 0, 1]
    assert share_out([1.0, 2.0], 1) == [0, 0]


def learn(team: Team) -> list[torch.Tensor]:
    module = network()
    team.attach(module)
    muon = Muon(matrices_of(module), 1e-2, team)
    for step in range(3):
        picture = torch.randn(
            2, 16, 4, 4, generator=torch.Generator().manual_seed(step)
        )
        module(picture).square().mean().backward()
        team.average()
        muon.step()
        for each in module.parameters():
            assert each.grad is not None
            each.grad.zero_()
    return [each.detach() for each in module.parameters()]


def learn_together(team: Team) -> None:
    torch.save(learn(team), f"learnt.{team.rank}.pt")


def test_two_workers_step_as_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_workers(learn_together)
    alone = learn(Team(0, (), None))
    first, second = (torch.load(tmp_path / f"learnt.{rank}.pt") for rank in (0, 1))
    begun = list(network().parameters())
    for mine, other, one in zip(first, second, alone, strict=True):
        assert torch.equal(mine, other)
        assert torch.allclose(mine, one, atol=1e-5)
    moved = (alone[0] - begun[0]).abs().max()
    assert moved > 1e-3 and torch.equal(alone[1], begun[1])
