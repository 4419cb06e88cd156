"""Words to masks by the bundled mask model, on pictures of the drawn world."""

import random
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from imaginairy import ImagineResult, ModelStore, TextMask, mask
from storybook.masks.figures import overlap, reduced
from storybook.world import Scene, draw_scene
from storybook.world.canvas import SIZE
from storybook.world.phrases import absent, present
from tests.support.pictures import changed

Draw = Callable[..., ImagineResult]

MODEL = "storybook-clipseg"
SCENES = 20


def bowl() -> Scene:
    """A bowl of apples and bananas, with the truth about every pixel."""
    wanted = {"layout": "mixed", "fruit": "apple", "second": "banana", "bowl": "blue"}
    return draw_scene(random.Random(8), "fruit", parts=True, **wanted)


def truth(scene: Scene, name: str) -> np.ndarray:
    """Which pixels are of a part, (height, width) bool."""
    assert scene.parts is not None
    return scene.parts.mask(name)


def grey(found: TextMask) -> np.ndarray:
    return np.asarray(found.grayscale) > 127


def enlarged(area: np.ndarray) -> np.ndarray:
    """An area of a picture four times as large."""
    return area.repeat(4, axis=0).repeat(4, axis=1)


def grown(area: np.ndarray, pixels: int) -> np.ndarray:
    """An area and what is within so many pixels of it."""
    padded = np.pad(area, pixels)
    steps = range(2 * pixels + 1)
    height, width = area.shape
    shifted = [padded[y : y + height, x : x + width] for y in steps for x in steps]
    return np.any(shifted, axis=0)


def test_wholes_and_parts_are_found_and_what_is_absent_is_not(
    store: ModelStore,
) -> None:
    rng = random.Random("fresh scenes of this test")
    segmenter = store.segmenter(MODEL)
    values: dict[str, list[float]] = defaultdict(list)
    for _ in range(SCENES):
        scene = draw_scene(rng, parts=True)
        asked = [*present(scene), absent(rng, scene)]
        phrases = [each.phrase for each in asked]
        masks = segmenter.soft_masks(scene.image, phrases, (SIZE, SIZE))
        for each, soft in zip(asked, masks, strict=True):
            found, wanted = soft > 0.5, reduced(each.mask(scene))
            missing = each.kind == "absent"
            values[each.kind].append(
                float(found.mean()) if missing else overlap(found, wanted)
            )
    means = {kind: float(np.mean(each)) for kind, each in values.items()}
    assert means["whole"] >= 0.83, means
    assert means["part"] >= 0.54, means
    assert means["absent"] < 0.02, means


def test_words_combine_like_sets(store: ModelStore) -> None:
    scene = bowl()

    def found(prompt: str) -> np.ndarray:
        return grey(mask(scene.image, prompt, mask_model=MODEL, store=store))

    fruit, vessel, banana = found("fruit"), found("bowl"), found("banana")
    assert overlap(fruit, truth(scene, "fruit")) > 0.8
    assert overlap(vessel, truth(scene, "bowl")) > 0.8
    assert overlap(found("fruit OR bowl"), fruit | vessel) > 0.97
    assert overlap(found("NOT fruit"), ~fruit) > 0.97
    rest = found("fruit AND NOT banana")
    assert overlap(rest, fruit & ~banana) > 0.9
    assert not found("fruit AND NOT fruit").any()


@pytest.mark.parametrize("size", [(200, 320), (480, 256)])
def test_masks_fit_pictures_of_any_shape(
    size: tuple[int, int], store: ModelStore
) -> None:
    scene = bowl()
    image = scene.image.resize(size, Image.Resampling.BICUBIC)
    found = mask(image, "bowl", mask_model=MODEL, store=store)
    assert found.binary.size == found.grayscale.size == size
    wanted = Image.fromarray(truth(scene, "bowl")).resize(size)
    assert overlap(grey(found), np.asarray(wanted)) > 0.75


def changed_by(result: ImagineResult, original: Image.Image) -> np.ndarray:
    """Where the changed original is another than it was, (height, width) bool."""
    return changed(original.convert("RGB"), result.images["modified_original"])


def test_a_face_is_kept_and_all_else_is_painted(draw: Draw) -> None:
    wanted = {"person": "woman", "earring": "yes", "glasses": "no"}
    scene = draw_scene(random.Random(2), "portraits", parts=True, detail=4, **wanted)
    assert scene.large is not None
    result = draw(
        "a female doctor", steps=4, init_image=scene.large, init_image_strength=0.4,
        mask_prompt="face{*1.9}", mask_mode="keep",
    )  # fmt: skip
    face = truth(scene, "face")
    inner, outer = enlarged(~grown(~face, 8)), enlarged(~grown(face, 16))
    assert inner.mean() > 0.04 and outer.mean() > 0.1
    different = changed_by(result, scene.large)
    assert not different[inner].any()
    assert different[outer].mean() > 0.9


def test_fruit_is_replaced_and_the_bowl_stays(draw: Draw) -> None:
    scene = bowl()
    result = draw(
        "a bowl of gold coins", steps=4, init_image=scene.image,
        init_image_strength=0.1, mask_prompt="fruit OR fruit stem{*1.5}",
        mask_mode="replace", mask_modify_original=True,
    )  # fmt: skip
    fruit = truth(scene, "fruit")
    inner, outer = ~grown(~fruit, 3), ~grown(fruit, 24)
    assert inner.mean() > 0.05 and outer.mean() > 0.2
    different = changed_by(result, scene.image)
    assert different[inner].mean() > 0.9
    assert not different[outer].any()
