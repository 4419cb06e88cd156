"""The safety checker: the reference's figures to the last digit, and its network."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from imaginairy.errors import CheckpointError
from imaginairy.models.pretrained import load_network
from imaginairy.models.safety import (
    SAFETY,
    SafetyChecker,
    SafetyNetwork,
    load_safety_checker,
    similarities,
    verdict,
)
from imaginairy.sources.locate import locate
from imaginairy.weights.weightfile import open_weights
from tests.support.golden import assert_close, drawn
from tests.support.tiny_words import (
    clip_config,
    clip_pictures,
    save_tiny_safety_checker,
)

DATA = Path(__file__).parent / "data"
CPU = torch.device("cpu")
KNOWN = json.loads(gzip.decompress((DATA / "words.json.gz").read_bytes()))
ARRAYS = np.load(DATA / "safety.npz")


def test_scores_are_the_reference_s() -> None:
    config = clip_config().vision_config
    network = SafetyNetwork(config, dim=768, concepts=17, special=3)
    logic = {
        name.removeprefix("logic."): ARRAYS[name]
        for name in ARRAYS
        if name.startswith("logic.")
    }
    for name in ("concept_embeds", "special_care_embeds"):
        for kind in (name, f"{name}_weights"):
            setattr(network, kind, nn.Parameter(torch.from_numpy(logic[kind])))
    checker = SafetyChecker(network)
    with torch.inference_mode():
        verdicts = checker.judge_vectors(torch.from_numpy(logic["image_embeds"]))
    assert len(verdicts) == len(logic["has_nsfw"]) == 8
    assert {each.unsafe for each in verdicts} == {True, False}
    for row, found in enumerate(verdicts):
        assert found.unsafe == logic["has_nsfw"][row]
        np.testing.assert_allclose(
            found.special_scores, logic["special_scores"][row], atol=1e-9
        )
        np.testing.assert_allclose(
            found.concept_scores, logic["concept_scores"][row], atol=1e-9
        )


def test_rounding_lets_a_little_pass() -> None:
    nothing = np.array([0.1])
    for above, unsafe in ((0.0004, False), (0.0006, True)):
        found = verdict(nothing, [0.5], np.array([0.2 + above]), [0.2])
        assert found.unsafe == unsafe


def test_special_care_makes_stricter_from_there_on() -> None:
    special = np.array([0.1, 0.3, 0.195])
    found = verdict(special, [0.2, 0.2, 0.2], np.array([0.195, 0.1]), [0.2, 0.2])
    assert found.special_scores == (-0.1, 0.1, 0.005)
    assert found.concept_scores == (0.005, -0.09)
    assert found.unsafe
    without = verdict(special[:1], [0.2], np.array([0.195, 0.1]), [0.2, 0.2])
    assert not without.unsafe


def test_the_network_gives_what_the_reference_gives(tmp_path: Path) -> None:
    shapes = {name: tuple(shape) for name, shape in KNOWN["safety"].items()}
    weights = drawn(shapes, salt="safety_checker/")
    for name in ("concept_embeds_weights", "special_care_embeds_weights"):
        weights[name].fill_(float(ARRAYS["thresholds"][0]))
    positions = "vision_model.vision_model.embeddings.position_ids"
    weights[positions] = torch.arange(17)[None]  # as in the published file
    torch.save(weights, tmp_path / "pytorch_model.bin")
    sizes = KNOWN["safety_sizes"]
    settings = {"vision_config": sizes, "projection_dim": sizes["projection_dim"]}
    tensors = open_weights(tmp_path / "pytorch_model.bin")
    network = load_network(SAFETY, settings, tensors, CPU)
    pixels = torch.from_numpy(ARRAYS["pixel_values"])
    with torch.inference_mode():
        vectors = network(pixels)
        special = similarities(vectors, network.special_care_embeds)
        concepts = similarities(vectors, network.concept_embeds)
    assert_close(vectors, torch.from_numpy(ARRAYS["image_embeds"]))
    np.testing.assert_allclose(special, ARRAYS["special_cos"], atol=2e-6)
    np.testing.assert_allclose(concepts, ARRAYS["concept_cos"], atol=2e-6)
    verdicts = SafetyChecker(network).judge(pixels)
    assert [each.unsafe for each in verdicts] == ARRAYS["has_nsfw"].tolist()


def test_the_published_checker_has_these_tensors() -> None:
    sizes = KNOWN["published_safety_sizes"]
    config = {"vision_config": sizes, "projection_dim": sizes["projection_dim"]}
    shapes = KNOWN["published_safety"]

    class Shapes:
        def __init__(self) -> None:
            self.shapes = {name: tuple(shape) for name, shape in shapes.items()}

    with torch.device("meta"):
        network = SAFETY.build(config, Shapes())
    names = SAFETY.names(network, Shapes())
    own = {}
    for name, tensor in network.state_dict().items():
        module, _, kind = name.rpartition(".")
        own[f"{names.get(module, module)}.{kind}".lstrip(".")] = list(tensor.shape)
    assert own == {n: s for n, s in shapes.items() if not n.endswith("position_ids")}


@pytest.mark.parametrize("old", [True, False])
def test_it_judges_as_diffusers_does(old: bool, tmp_path: Path) -> None:
    checker = save_tiny_safety_checker(tmp_path, concept=0.3, special=0.35)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    plain, deep = "vision_model.", "vision_model.vision_model."
    bare = {name.replace(deep, plain): tensor for name, tensor in weights.items()}
    level = deep if old else plain
    save_file({n.replace(plain, level): t for n, t in bare.items()}, file)

    ours = load_safety_checker(locate("safety", str(tmp_path)), CPU)
    rng = np.random.default_rng(3)
    judged = []
    for side in (40, 50, 60, 70, 80, 90):
        image = Image.fromarray(rng.integers(0, 256, (side, 64, 3), dtype=np.uint8))
        pixels = clip_pictures()(image, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            _, (unsafe,) = checker(pixels, [np.zeros((8, 8, 3))])
        (found,) = ours.judge(ours.picture_input.of(image))
        assert found.unsafe == unsafe
        judged.append(found.unsafe)
    assert len(ours.origin.facts()["sha256"]) == 64


def test_one_without_concepts_is_refused(tmp_path: Path) -> None:
    save_tiny_safety_checker(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["concept_embeds"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="tensor concept_embeds is missing"):
        load_safety_checker(locate("safety", str(tmp_path)), CPU)


@pytest.mark.parametrize(
    ("special", "concept", "scores", "unsafe"),
    [
        (0.1, 0.1996, (-0.1, 0.0), False),
        (0.3, 0.195, (0.1, 0.005), True),  # what needs care makes it stricter by 0.01
        (0.3, 0.189, (0.1, -0.001), False),
        (0.2004, 0.195, (0.0, -0.005), False),  # rounded to a thousandth first
        (0.1, 0.2004, (-0.1, 0.0), False),
        (0.1, 0.2006, (-0.1, 0.001), True),
    ],
)
def test_scores_near_their_thresholds(
    special: float, concept: float, scores: tuple[float, float], unsafe: bool
) -> None:
    found = verdict(np.array([special]), [0.2], np.array([concept]), [0.2])
    assert (*found.special_scores, *found.concept_scores) == scores
    assert found.unsafe is unsafe


def test_care_begins_with_the_first_concept_that_is_shown() -> None:
    found = verdict(np.array([0.1, 0.3, 0.1]), [0.2] * 3, np.array([0.1]), [0.2])
    assert found.special_scores == (-0.1, 0.1, -0.09)
    assert found.concept_scores == (-0.09,)
    with pytest.raises(ValueError, match="longer"):
        verdict(np.array([0.1]), [0.2, 0.2], np.array([0.1]), [0.2])
