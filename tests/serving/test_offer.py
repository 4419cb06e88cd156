"""What a server has goes by names that tell no path."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from imaginairy import ImaginePrompt, ModelStore
from imaginairy.errors import BadOptionError
from imaginairy.serving.offer import Offer, beside, require_adapter
from imaginairy.serving.refusals import NotOfferedError
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import LocalPath, ModelRow
from imaginairy.sources.shelves import CONTROLS, IMAGE_ADAPTERS


def row(path: str) -> ModelRow:
    """Return the row of a model of somebody's own."""
    return ModelRow(
        role="draws", name=path, summary="", weights=LocalPath(Path(path)), licence=""
    )


ROWS = {
    None: known("draws", "storybook"),
    "mine": row("/home/me/models/mine.v2.safetensors"),
    "mine2": row("/srv/mine.v2.ckpt"),
}
OFFER = Offer.of([None, "mine"], ROWS.__getitem__)


def test_models_go_by_their_names_or_the_last_part_of_their_paths() -> None:
    assert list(OFFER.models) == ["storybook", "mine.v2"]
    assert OFFER.usual == "storybook"
    assert (
        OFFER.model("model", None) == OFFER.model("model", "storybook") == "storybook"
    )
    assert OFFER.model("model", "mine.v2") == "/home/me/models/mine.v2.safetensors"
    assert OFFER.refiner("refiner", "storybook@0.7") == "storybook@0.7"


def test_without_a_name_the_usual_model_is_offered() -> None:
    assert list(Offer.of([], ROWS.__getitem__).models) == ["storybook"]


def test_a_folder_goes_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.v1").mkdir()
    offer = Offer.of(["here"], {"here": row(str(tmp_path / "model.v1"))}.__getitem__)
    assert list(offer.models) == ["model.v1"]


def test_two_models_of_one_name_are_refused_and_one_twice_is_one() -> None:
    with pytest.raises(BadOptionError, match=r"Two models would go by 'mine\.v2'"):
        Offer.of(["mine", "mine2"], ROWS.__getitem__)
    assert len(Offer.of(["mine", "mine"], ROWS.__getitem__).models) == 1


@pytest.mark.parametrize(
    "name", ["/home/me/models/mine.v2.safetensors", "mine", "sd15", "Storybook", ""]
)
def test_what_is_not_offered_is_refused_by_what_is(name: str) -> None:
    with pytest.raises(NotOfferedError, match=r"it has storybook, mine\.v2"):
        OFFER.model("model", name)
    with pytest.raises(NotOfferedError):
        OFFER.refiner("refiner", f"{name or '/'}@0.5")


def test_models_beside_are_those_on_this_machine() -> None:
    assert beside("upscaler")("upscaler", "lanczos") == "lanczos"
    assert beside("captioner")("caption_model", "storybook-blip") == "storybook-blip"
    for name in (
        "realesrgan-x4plus",
        "/etc/passwd",
        "owner/repo",
        5,
        None,
        ["lanczos"],
    ):
        with pytest.raises(NotOfferedError, match="This server has no upscaler"):
            beside("upscaler")("upscaler", name)


def test_adapters_are_those_of_the_servers_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("style.safetensors", "style.pt", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setenv("IMAGINAIRY_ADAPTERS", str(tmp_path))
    names = OFFER.adapters("storybook")
    assert "style" in names and names.count("style") == 1 and "notes" not in names
    require_adapter("style", names)
    for name in (str(tmp_path / "style.safetensors"), "style.safetensors", "../style"):
        with pytest.raises(NotOfferedError, match="This server has no adapter"):
            require_adapter(name, names)


def test_so_are_controls_and_those_that_need_not_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONTROLS.variable, str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("mine.safetensors", "control_v11p_sd15_canny.pth", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    offer = Offer({"sd15": known(DRAWS, "sd15")})
    names = offer.controls("sd15")
    assert {"canny", "edges", "sd15-canny", "mine"} < {*names}
    assert not {"depth", "sd15-depth", "t2i-sd15-canny", "notes"} & {*names}
    for name in ("me/mine", str(tmp_path / "mine.safetensors"), "../mine", "depth"):
        with pytest.raises(NotOfferedError, match="This server has no control '"):
            require_adapter(name, names, "control")


def test_no_request_has_what_reads_image_prompts_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv(IMAGE_ADAPTERS.variable, str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    offer = Offer({"sd15": known(DRAWS, "sd15"), "sd21": known(DRAWS, "sd21")})
    (folder / "mine.bin").write_bytes(b"")
    (folder / "ip-adapter_sd15.safetensors").write_bytes(b"")
    (folder / "path.bin.bin").write_bytes(b"")
    (tmp_path / "path.bin").write_bytes(b"")
    monkeypatch.chdir(tmp_path)  # where that name is the path of another file
    there = ["mine", "ip-adapter_sd15"]
    assert sorted(offer.image_adapters("sd15")) == sorted(there)
    assert offer.image_adapter("sd15", "mine") == "mine"
    assert offer.image_adapter("sd21", None) is None
    fetched = (None, "ip-adapter-sd15", "me/mine", "../mine", str(folder / "mine.bin"))
    for name in fetched:
        with pytest.raises(NotOfferedError, match="This server has no IP-Adapter '"):
            offer.image_adapter("sd15", name)
    encoder = tmp_path / "hub/models--h94--IP-Adapter/snapshots/1/models/image_encoder"
    encoder.mkdir(parents=True)
    refs = encoder.parents[3] / "refs"
    refs.mkdir()
    (refs / "main").write_text("1")
    (encoder / "config.json").write_text("{}")
    (encoder / "model.safetensors").write_bytes(b"")
    for name in (None, "ip-adapter-sd15"):
        assert offer.image_adapter("sd15", name) == "ip-adapter-sd15"


def test_prompts_name_models_as_requests_do() -> None:
    path = "/home/me/models/mine.v2.safetensors"
    said = OFFER.public(ImaginePrompt("a fox", model=path, refiner=f"{path}@0.5"))
    assert (said.model, said.refiner) == ("mine.v2", "mine.v2@0.5")
    other = ImaginePrompt("a fox", model="storybook", seed=1)
    assert OFFER.public(other) == other


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("'/home/me/models/mine.v2.safetensors' is broken", "'mine.v2' is broken"),
        ("The file '/srv/x/y.pt' is none.", "The file 'y.pt' is none."),
        ("~/.cache/hub/model.bin, C:\\Users\\me\\m.pt", "model.bin, m.pt"),
        ("a/b of owner/repo and 1/2", "a/b of owner/repo and 1/2"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ({"a": ["/srv/x/y.pt", 5], "b": None}, {"a": ["y.pt", 5], "b": None}),
        (("/srv/x/y.pt",), ["y.pt"]),
        (True, True),
    ],
)
def test_folders_are_not_told(said: Any, shown: Any) -> None:
    assert OFFER.hidden(said) == shown


def test_the_store_finds_what_is_offered(store: ModelStore) -> None:
    assert list(Offer.of(["storybook"], store.locate).models) == ["storybook"]
