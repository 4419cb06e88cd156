"""Faces restored in what was drawn, and again in the larger picture."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ImagineResult, ModelStore, fix_faces
from imaginairy.enhancers import Work
from imaginairy.enhancers.faces import fix_upscaled
from imaginairy.errors import BadOptionError
from imaginairy.metadata.read import read_metadata
from imaginairy.order import filled
from tests.support.pictures import changed
from tests.support.tiny_upscaler import save_repeater

Draw = Callable[..., ImagineResult]


def test_imagine_restores_the_faces_it_draws(
    draw: Draw, restorer: str, tmp_path: Path
) -> None:
    plain = draw("a portrait of a woman", seed=3, steps=6)
    result = draw(
        "a portrait of a woman",
        seed=3,
        steps=6,
        fix_faces=True,
        fix_faces_model=restorer,
    )
    facts = result.applied["fix_faces"]
    assert facts["model"] == restorer
    assert facts["detector"] == "storybook-faces"
    assert facts["fidelity"] == result.prompt.fix_faces_fidelity == 0.2
    assert facts["faces"] == 1 and len(facts["sha256"]) == 64
    differs = changed(plain.img, result.img)
    assert 0.2 < differs.mean() < 0.9
    saved = read_metadata(result.save(tmp_path / "face.png"))
    assert saved["applied"]["fix_faces"] == facts
    assert ImaginePrompt.from_dict(saved) == result.prompt


def test_imagine_leaves_pictures_without_faces(draw: Draw, restorer: str) -> None:
    plain = draw("a landscape with mountains", seed=2, steps=3)
    fixed_one = draw(
        "a landscape with mountains",
        seed=2,
        steps=3,
        fix_faces=True,
        fix_faces_model=restorer,
    )
    assert fixed_one.applied["fix_faces"]["faces"] == 0
    assert fixed_one.img.tobytes() == plain.img.tobytes()


def test_faces_are_restored_again_in_the_larger_picture(
    store: ModelStore, portrait: Image.Image, restorer: str
) -> None:
    prompt = ImaginePrompt(
        "a woman", fix_faces=True, fix_faces_model=restorer, upscale=True
    )
    prompt = filled(prompt, store.locate("storybook"))
    large = portrait.resize((512, 512))
    work = Work(prompt, {"generated": portrait, "upscaled": large}, store)
    work = fix_upscaled(work.with_facts("fix_faces", {"faces": 1, "fidelity": 0.2}))
    assert work.applied["fix_faces"] == {
        "faces": 1,
        "fidelity": 0.2,
        "upscaled": {"faces": 1, "fidelity": 0.8},
    }
    expected = fix_faces(
        large, fidelity=0.8, model=restorer, detector="storybook", store=store
    )
    assert work.images["upscaled"].tobytes() == expected.tobytes() != large.tobytes()
    assert work.images["generated"] is portrait


def test_imagine_looks_for_faces_in_the_larger_picture(
    draw: Draw, restorer: str, tmp_path: Path
) -> None:
    repeater = str(save_repeater(tmp_path / "repeater.safetensors"))
    wanted = {"upscale": True, "upscaler": repeater, "seed": 3}
    result = draw(
        "a woman", steps=2, fix_faces=True, fix_faces_model=restorer, **wanted
    )
    assert list(result.applied)[::2] == ["fix_faces", "upscale"]
    assert result.applied["fix_faces"]["upscaled"]["fidelity"] == 0.8


DETAILS = {
    "fix_faces_fidelity": 0.5,
    "fix_faces_model": "codeformer",
    "fix_faces_detector": "yunet",
}


@pytest.mark.parametrize("name", DETAILS)
def test_details_need_the_wish(name: str) -> None:
    value = DETAILS[name]
    with pytest.raises(BadOptionError, match=f"{name} needs fix_faces"):
        ImaginePrompt("a face", **{name: value})
    assert ImaginePrompt("a face", fix_faces=True, **{name: value})
