"""Who owns the loaded models: what is kept, let go, remembered and said once."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from imaginairy import ModelStore
from imaginairy.errors import (
    BadOptionError,
    CheckpointError,
    HubUnreachableError,
    UnknownModelError,
)
from imaginairy.models import store as stores
from imaginairy.models.loaders import LOADERS
from imaginairy.models.store import ASK_AGAIN_S
from imaginairy.sources.catalog import known
from imaginairy.sources.lacking import Missing
from imaginairy.sources.roles import BESIDE, CONTROL, IMAGE_ENCODER, VAE
from imaginairy.sources.rows import BUNDLED_FOLDER
from tests.support.hub_environment import hub_environment
from tests.support.tiny_upscaler import save_repeater


@pytest.fixture
def store() -> Iterator[ModelStore]:
    store = ModelStore("cpu")
    yield store
    store.clear()


def test_a_model_is_loaded_once_and_let_go_for_another(
    store: ModelStore, tiny_folder: Path, folder: Path
) -> None:
    first = store.get(str(tiny_folder))
    assert store.get(str(tiny_folder)) is first
    assert first.spec.name == str(tiny_folder)
    gone = weakref.ref(first.diffusion)
    del first
    other = store.get(str(folder))
    gc.collect()
    assert other.spec.name == str(folder)
    assert gone() is None, "two models at once take twice the memory"


def test_a_model_is_loaded_once_however_its_path_is_written(
    store: ModelStore,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to(tiny_folder)
    first = store.get("link")
    assert first.spec.name == str(tiny_folder)
    assert store.get(first.spec.name) is store.get("./link") is first


def test_a_model_is_let_go_before_another_is_loaded(
    store: ModelStore, tiny_folder: Path, tmp_path: Path
) -> None:
    gone = weakref.ref(store.get(str(tiny_folder)).diffusion)
    with pytest.raises(CheckpointError):
        store.get(str(tmp_path))
    gc.collect()
    assert gone() is None, "the other might have had no room beside it"


def test_a_precision_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadOptionError, match="Precision 'half' is unknown"):
        ModelStore("cpu", precision="half")  # type: ignore[arg-type]


def test_what_a_user_has_to_know_of_a_model_is_said_before_it_is_fetched(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with pytest.raises(HubUnreachableError):
            store.face_restorer("codeformer")
    notice = known("face-restorer", "codeformer").notice
    assert notice and caplog.messages == [notice]


def test_a_name_means_the_same_as_long_as_the_store_lives(
    store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    spec = store.locate(str(tmp_path / "model"))
    (tmp_path / "model").rmdir()
    assert store.locate(str(tmp_path / "model")) is spec
    with pytest.raises(UnknownModelError):
        store.locate(str(tmp_path / "other"))


def test_by_its_own_name_a_model_is_the_one_that_was_asked_for(
    store: ModelStore, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order names its model so, and a relative path is no longer one."""
    monkeypatch.chdir(tiny_folder.parent)
    asked = store.get(f"./{tiny_folder.name}/")
    assert asked.spec.name == str(tiny_folder)
    assert store.get(asked.spec.name) is asked


def test_a_model_is_as_the_store_says(
    store: ModelStore, tiny_folder: Path, folder: Path
) -> None:
    """On its device, in its precision, with the sum of its weights and its words."""
    loaded = store.get(str(tiny_folder))
    assert loaded.diffusion.device == store.device == torch.device("cpu")
    assert store.dtype is ModelStore("cpu", "full").dtype is torch.float32
    assert ModelStore("cpu").precision == "full", "as the tests' environment says"
    networks = (loaded.diffusion.network, loaded.diffusion.readers)
    for network in (*networks, loaded.diffusion.autoencoder):
        assert {p.dtype for p in network.parameters()} == {store.dtype}
    digest = loaded.weights_sha256()
    assert len(digest) == 64 and loaded.weights_sha256() is digest, "summed up once"
    assert loaded.words is None
    (folder / "words.json").write_text('{"groups": {"animals": ["fox"]}}')
    words = ModelStore("cpu").get(str(folder)).words
    assert words and words.groups == {"animals": ("fox",)}


def test_what_is_loaded_is_let_go_when_the_store_is_cleared(
    store: ModelStore, tiny_folder: Path, tmp_path: Path
) -> None:
    save_repeater(tmp_path / "x2.pth", scale=2)
    gone = [
        weakref.ref(store.get(str(tiny_folder)).diffusion),
        weakref.ref(store.upscaler(str(tmp_path / "x2.pth"))),
    ]
    gc.collect()
    assert all(each() is not None for each in gone)
    store.clear()
    gc.collect()
    assert [each() for each in gone] == [None, None]


def test_of_each_role_the_last_one_is_kept(store: ModelStore, tmp_path: Path) -> None:
    assert set(LOADERS) == {*BESIDE, IMAGE_ENCODER}
    two, four = (str(tmp_path / f"x{n}.pth") for n in (2, 4))
    save_repeater(Path(two), scale=2)
    save_repeater(Path(four), scale=4)
    first = store.upscaler(two)
    assert store.upscaler(two) is first is store.companion("upscaler", two)
    assert first.scale == 2
    assert store.upscaler(four).scale == 4
    assert store.upscaler(two) is not first


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("mask", "storybook-clipseg"),
        ("upscaler", "storybook-upscaler"),
        ("face-detector", "storybook-faces"),
        ("similarity", "storybook-clip"),
    ],
)
def test_a_role_is_filled_by_its_own_kind_of_model(
    store: ModelStore, role: str, name: str
) -> None:
    found = {
        "mask": store.segmenter,
        "upscaler": store.upscaler,
        "face-detector": store.face_detector,
        "similarity": store.comparer,
    }[role](name)
    assert found is not None and found is store.companion(role, name)


def test_whether_a_model_can_be_had_is_remembered_for_a_minute(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 5.0  # a machine that has just begun
    monkeypatch.setattr(stores, "monotonic", lambda: now)

    def reason() -> str:
        found = store.lacking("captioner")
        assert isinstance(found, Missing)
        return found.reason

    assert ASK_AGAIN_S == 60
    assert reason() == "HF_HUB_OFFLINE is set"
    with hub_environment(TRANSFORMERS_OFFLINE="1"):
        now += 59.9
        assert reason() == "HF_HUB_OFFLINE is set"
        other = store.lacking("similarity")
        assert other and other.reason == "TRANSFORMERS_OFFLINE is set"
        now += 0.1
        assert reason() == "TRANSFORMERS_OFFLINE is set"
    assert reason() == "TRANSFORMERS_OFFLINE is set"
    store.clear()
    assert reason() == "HF_HUB_OFFLINE is set"


def test_what_cannot_be_had_is_said_once_and_tried_once(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    first = store.refusal("safety", "Images are not checked")
    assert first and first.endswith("HF_HUB_OFFLINE is set.")
    assert caplog.messages == [f"Images are not checked: {first}"]
    with hub_environment(TRANSFORMERS_OFFLINE="1"):
        assert store.refusal("safety", "Images are not checked") == first
        assert len(caplog.messages) == 1
        store.clear()
        again = store.refusal("safety", "Images are not checked")
    assert again and again.endswith("TRANSFORMERS_OFFLINE is set.")
    assert len(caplog.messages) == 2


def test_a_store_says_a_thing_once(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    for about in ("a", "a", "b"):
        store.say_once(f"about {about}", about=about)
    assert caplog.messages == ["about a", "about b"]
    ModelStore("cpu").say_once("about a", about="a")
    assert len(caplog.messages) == 3


def test_the_words_of_the_bundled_model_are_known(store: ModelStore) -> None:
    assert (BUNDLED_FOLDER / "storybook" / "words.json").is_file()
    words = store.get("bundled").words
    assert words and words.knows("fox") and not words.knows("parliament")


# --- two that draw --------------------------------------------------------------------


def test_a_refiner_is_held_beside_the_model_that_draws(
    store: ModelStore, tiny_folder: Path, folder: Path
) -> None:
    first, second = store.get(str(tiny_folder)), store.refiner(str(folder))
    assert store.loaded_roles == {"draws", "refines"}
    assert store.get(str(tiny_folder)) is first, "not loaded again"
    assert store.refiner(str(folder)) is second
    assert store.refiner(str(tiny_folder)) is first, "it may go on with its own"


def test_a_refiner_may_draw_next_and_what_drew_refine(
    store: ModelStore, tiny_folder: Path, folder: Path
) -> None:
    first, second = store.get(str(tiny_folder)), store.refiner(str(folder))
    for _ in range(2):
        assert store.get(str(folder)) is second
        assert store.refiner(str(tiny_folder)) is first
        assert store.get(str(tiny_folder)) is first


def test_of_refiners_the_last_one_is_kept_and_let_go_for_another_model(
    store: ModelStore, tiny_folder: Path, folder: Path
) -> None:
    first = store.get(str(tiny_folder))
    gone = weakref.ref(store.refiner(str(folder)).diffusion)
    store.refiner("storybook")
    gc.collect()
    assert gone() is None and store.get(str(tiny_folder)) is first
    store.get(str(folder))
    assert store.loaded_roles == {"draws"}


@pytest.mark.parametrize(
    ("role", "name", "said"),
    [
        (VAE, "storybook-tiny", "'storybook-tiny' is a VAE, which goes with a model"),
        (CONTROL, None, "'sd15-canny' is a control, which goes with a model; name it"),
    ],
)
def test_what_goes_with_a_model_is_none(role: str, name: str | None, said: str) -> None:
    with pytest.raises(BadOptionError, match=said):
        ModelStore().check(role, name)
