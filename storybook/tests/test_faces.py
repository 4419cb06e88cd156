"""What faces are learnt from, and the first steps of learning, on small things."""

import random

import numpy as np
import torch
from PIL import Image

from imaginairy.networks.codeformer import CodeFormer
from imaginairy.networks.face_finder import STRIDE, FaceFinder
from storybook import settings
from storybook.drawing.autoencoder import psnr
from storybook.faces.finder import Targets, finding_loss
from storybook.faces.pairs import DETAIL, batch_of, fresh_pairs, pair_of, worn
from storybook.faces.pictures import Pool, compose, fresh_portraits
from storybook.faces.restorer import (
    Learner,
    clustered,
    codebook_loss,
    fresh_figures,
    reading_loss,
    steering_parts,
)
from tests.support.tiny_codeformer import TINY, tiny_codeformer

CPU = torch.device("cpu")


def test_sheets_know_where_their_faces_are():
    rng, pool = random.Random(1), Pool.draw("test", 6)
    sheets = [compose(rng, pool, 192) for _ in range(25)]
    assert sum(len(sheet.boxes) for sheet in sheets) > 40
    for sheet in sheets:
        assert sheet.pixels.shape == (192, 192, 3)
        for box, landmarks in zip(sheet.boxes, sheet.landmarks, strict=True):
            size = box[2:] - box[:2]
            assert (landmarks > 0).all() and (landmarks < 192).all()
            inside = (landmarks - box[:2]) / size
            assert inside.min() > -0.1 and inside.max() < 1.1
            left, right, _, mouth_left, mouth_right = landmarks
            assert left[0] < right[0] and mouth_left[0] < mouth_right[0]
            assert (left[1] + right[1]) < (mouth_left[1] + mouth_right[1])


def test_each_face_is_answered_for_at_its_middle():
    rng, pool = random.Random(2), Pool.draw("test", 6)
    sheets = [compose(rng, pool, 192) for _ in range(10)]
    targets = Targets(sheets, 192)
    for i, sheet in enumerate(sheets):
        assert int((targets.marks[i] == 1).sum()) == len(sheet.boxes)
        for row, column in (targets.marks[i] == 1).nonzero().tolist():
            box = targets.boxes[i, row, column].numpy()
            middle = (box[:2] + box[2:]) / 2
            here = (np.array([column, row]) + 0.5) * STRIDE
            assert np.abs(middle - here).max() <= STRIDE


def test_a_finder_learns():
    torch.manual_seed(1)
    rng, pool = random.Random(3), Pool.draw("test", 4)
    finder = FaceFinder(settings.FACE_FINDER)
    torch.nn.init.constant_(finder.score.bias, -4.0)
    sheets = [compose(rng, pool, 192) for _ in range(2)]
    optimizer = torch.optim.AdamW(finder.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss, _ = finding_loss(finder, sheets, CPU)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_portraits_held_back_are_never_trained_on():
    assert all(scene.held_out for scene in fresh_portraits(5))
    first, again = (fresh_portraits(3) for _ in range(2))
    assert [s.image.tobytes() for s in first] == [s.image.tobytes() for s in again]


def test_a_worn_face_lies_where_the_good_one_does():
    side = settings.CODEFORMER.image_size
    for seed, scene in enumerate(fresh_portraits(2, detail=DETAIL)):
        small, large = np.asarray(scene.image), np.asarray(scene.large)
        pair = pair_of(random.Random(seed), small, large, scene.faces[0].landmarks)
        assert pair.worn.shape == pair.good.shape == (side, side, 3)
        closeness = psnr(pair.good[None], pair.worn[None])
        for axis in (0, 1):
            for step in (-8, 8):
                off = np.roll(pair.worn, step, axis=axis)
                assert psnr(pair.good[None], off[None]) < closeness


def test_wearing_makes_worse_but_keeps_the_size():
    picture = np.asarray(fresh_portraits(1)[0].image)
    rng = random.Random(4)
    values = [psnr(picture[None], worn(rng, picture)[None]) for _ in range(40)]
    assert worn(rng, picture).shape == picture.shape
    assert min(values) < 20 < max(values)


def test_clusters_are_found():
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = middles.repeat(50, 1) + 0.1 * torch.randn(150, 2)
    found = clustered(points, 3)
    assert torch.cdist(found, middles).min(dim=1).values.max() < 0.2
    assert torch.cdist(middles, found).min(dim=1).values.max() < 0.2


def test_each_stage_reaches_all_that_it_trains():
    network, teacher = tiny_codeformer(), tiny_codeformer()
    good = torch.rand(2, 3, 64, 64) * 2 - 1
    codebook_loss(network, good, quantised=True)[0].backward()
    for part in ("encoder.conv_in", "codebook", "decoder.conv_out"):
        assert network.get_submodule(part).weight.grad.abs().sum() > 0
    network.zero_grad()
    loss, figures, _, _ = reading_loss(network, teacher, good, good)
    loss.backward()
    assert network.choose.weight.grad.abs().sum() > 0
    assert network.encoder.conv_in.weight.grad.abs().sum() > 0
    assert figures["distance"] < figures["entropy"]
    learner = Learner(network, *steering_parts(network))
    assert {name.split(".")[1] for name in learner.state_dict()} == {
        "decoder/levels/0/fusion",
        "decoder/levels/1/fusion",
    }


def test_fresh_faces_are_measured_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "STATE", tmp_path)
    monkeypatch.setattr(settings, "CODEFORMER", TINY)
    pairs = fresh_pairs(2)
    assert batch_of(pairs, CPU)[0].shape == (2, 3, 64, 64)
    figures = fresh_figures("face-test", tiny_codeformer(), pairs)
    assert set(figures) == {"before", "at_0", "at_0.2", "at_0.5", "at_1"}
    assert figures["before"] > max(figures["at_0"], figures["at_1"])
    with Image.open(tmp_path / "face-test.png") as sheet:
        assert sheet.size == (2 * 64, 6 * 64)


def test_the_bundled_restorer_stays_small():
    network = CodeFormer(settings.CODEFORMER)
    finder = FaceFinder(settings.FACE_FINDER)
    sizes = [sum(p.numel() for p in each.parameters()) for each in (network, finder)]
    assert 2 * sum(sizes) < 6_000_000 and 2 * sizes[1] < 500_000
