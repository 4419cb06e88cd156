"""Which IP-Adapter a name means: rows, folders of other tools, places."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.errors import HubUnreachableError, UnknownModelError
from imaginairy.families.table import FAMILIES
from imaginairy.sources.catalog import find, known
from imaginairy.sources.here import here as lies_here
from imaginairy.sources.image_prompt_rows import IMAGE_PROMPT_ROWS
from imaginairy.sources.image_prompts import (
    adapters_for,
    fetch_image_prompt,
    image_prompt_on_disk,
    locate_image_prompt,
    own_names,
)
from imaginairy.sources.roles import IMAGE_ENCODER, IMAGE_PROMPT
from imaginairy.sources.rows import Address, HubFile, HubRepo, LocalPath
from imaginairy.sources.shelves import IMAGE_ADAPTERS
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo


def save(path: Path) -> Path:
    """Save a file of weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"x": torch.zeros(1)}, path)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, with empty caches and folders of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_every_row_is_of_a_family_and_has_eyes() -> None:
    names = {family.name for family in FAMILIES}
    for row in IMAGE_PROMPT_ROWS:
        assert row.family in names
        assert find(IMAGE_ENCODER, row.encoder)
        for name in (row.name, *row.aliases, row.name.upper()):
            assert known(IMAGE_PROMPT, name) is row
        if isinstance(row.weights, HubFile):
            stem = Path(row.weights.path).stem
            assert known(IMAGE_PROMPT, stem) is row, "it goes by its file's name"
            assert (row.encoder == "clip-vit-bigg-image") == (
                stem in ("ip-adapter_sdxl", "ip-adapter_sd15_vit-G")
            )


@pytest.mark.parametrize(
    ("family", "row"), [("sd1", "ip-adapter-sd15"), ("sdxl", "ip-adapter-sdxl-vit-h")]
)
def test_without_a_name_the_plain_one_of_the_family_is_meant(
    family: str, row: str
) -> None:
    assert locate_image_prompt(None, family) == known(IMAGE_PROMPT, row)
    assert adapters_for(family)[0].name == row


def test_where_none_is_known_or_it_is_of_another_family_it_is_said() -> None:
    with pytest.raises(UnknownModelError) as raised:
        locate_image_prompt(None, "sd2")
    assert str(raised.value) == (
        "No IP-Adapter is known for Stable Diffusion 2.x; give the path of one, as "
        "FILE,adapter=PATH."
    )
    with pytest.raises(UnknownModelError) as raised:
        locate_image_prompt("ip-adapter_sd15", "sdxl")
    assert str(raised.value).startswith(
        "The IP-Adapter 'ip-adapter-sd15' is for Stable Diffusion 1.x and the model is "
        "of Stable Diffusion XL; give ip-adapter-sdxl-vit-h, "
    )
    with pytest.raises(UnknownModelError) as raised:
        locate_image_prompt("ip-adapter-plus-sd16", "sd1")
    said = str(raised.value)
    assert "There is no IP-Adapter 'ip-adapter-plus-sd16' for Stable Diffusion" in said
    assert said.endswith(
        f"in {IMAGE_ADAPTERS.variable}. Did you mean 'ip-adapter-plus-sd15'?"
    )


@pytest.mark.parametrize(
    "name",
    [
        "ip-adapter-faceid_sd15", "h94/IP-Adapter-FaceID:ip-adapter_sd15.bin",
        "h94/IP-Adapter-FaceID", "/no/ip_adapter-face-id-plus.bin",
        r"C:\nets\ip-adapter-faceid.bin", "https://a.example/ip-adapter-faceid.bin",
    ],
)  # fmt: skip
def test_face_id_is_refused_by_its_name_before_anything_is_looked_for(
    name: str,
) -> None:
    with pytest.raises(UnknownModelError, match="is a FaceID model, which reads what"):
        locate_image_prompt(name, "sd1")


def test_a_folder_of_that_name_is_no_reason(home: Path) -> None:
    path = save(home / "faceid/ip-adapter.safetensors")
    assert locate_image_prompt(str(path), "sd1").weights == LocalPath(path)


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("ComfyUI/models/checkpoints/m.safetensors", "ComfyUI/models/ipadapter"),
        ("webui/models/Stable-diffusion/m.safetensors", "webui/models/ControlNet"),
        (
            "webui/models/Stable-diffusion/m.safetensors",
            "webui/extensions/sd-webui-controlnet/models",
        ),
        ("invoke/models/sd-1/main/m.safetensors", "invoke/models/sd-1/ip_adapter"),
    ],
)
def test_what_another_tool_fetched_is_not_fetched_again(
    home: Path, model: str, folder: str
) -> None:
    beside = save(home / model)
    there = save(home / folder / "ip-adapter-plus_sd15.safetensors")
    own = save(home / folder / "my_IP-Adapter.safetensors")
    save(home / folder / "control_v11p_sd15_canny.safetensors")
    row = locate_image_prompt("ip-adapter-plus-sd15", "sd1", beside)
    assert (row.name, row.weights) == ("ip-adapter-plus-sd15", LocalPath(there))
    assert row.encoder == known(IMAGE_PROMPT, row.name).encoder
    assert fetch_image_prompt(row) == image_prompt_on_disk(row) == there
    mine = locate_image_prompt("my_ip-adapter", "sd1", beside)
    assert (mine.weights, mine.is_known) == (LocalPath(own), True)
    if "control" in folder.lower():  # of what lies among ControlNets
        assert own_names(beside) == ["ip-adapter-plus_sd15", "my_IP-Adapter"]


def test_folders_of_ones_own_paths_repositories_and_addresses(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IMAGE_ADAPTERS.variable, str(home / "mine"))
    named = save(home / "mine" / "reader" / "model.safetensors")
    row = locate_image_prompt("reader", "sd1")
    assert (row.name, row.weights, row.encoder) == ("reader", LocalPath(named), "")
    assert lies_here("reader") == (named, None)
    listed = save(home / "mine" / "ip-adapter_sd15.safetensors")
    assert lies_here("ip-adapter-sd15") == (listed, "Apache-2.0")
    path = save(home / "here" / "mine.safetensors")
    by_path = locate_image_prompt("mine.safetensors", "sd1")
    assert (by_path.name, by_path.is_known) == (str(path), False)
    assert locate_image_prompt("me/mine@v2", "sd1").weights == HubRepo("me/mine", "v2")
    file = locate_image_prompt("me/mine:a/plus.bin", "sd1")
    assert file.weights == HubFile("me/mine", "a/plus.bin")
    url = "https://example.org/plus.safetensors?token=x"
    row = locate_image_prompt(url, "sd1")
    assert row.weights == Address(url)
    assert row.name == "https://example.org/plus.safetensors"
    assert image_prompt_on_disk(row) is None


def test_offline_it_is_said_what_cannot_be_fetched(home: Path) -> None:
    row = locate_image_prompt("ip-adapter-plus-face-sd15", "sd1")
    with (
        hub_environment(HF_HOME=str(home / "hub"), HF_HUB_OFFLINE="1"),
        pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE is set"),
    ):
        fetch_image_prompt(row)


def test_one_of_a_folder_of_a_repository_is_fetched_once(home: Path) -> None:
    data = save(home / "w.safetensors").read_bytes()
    row = locate_image_prompt("ip-adapter-plus-face-sd15", "sd1")
    assert isinstance(row.weights, HubFile)
    files = {row.weights.path: data, "models/other.safetensors": data}
    with (
        HubServer({row.weights.repo: Repo(files)}) as server,
        hub_environment(HF_HOME=str(home / "hub"), HF_ENDPOINT=server.url),
    ):
        fetched = fetch_image_prompt(row)
        assert fetched.read_bytes() == data
        server.requests.clear()
        assert fetch_image_prompt(row) == fetched == image_prompt_on_disk(row)
        assert server.requests == []
