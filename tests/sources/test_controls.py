"""Which control a name means: kinds of hints, rows, folders of other tools, places."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imaginairy.errors import HubUnreachableError, UnknownModelError
from imaginairy.families.table import FAMILIES
from imaginairy.hints.table import HINTS, hint_kind
from imaginairy.sources.catalog import known
from imaginairy.sources.control_rows import (
    CONTROL_ROWS,
    KINDS,
    T2I_ADAPTER,
    UNION,
    WORDS,
)
from imaginairy.sources.controls import (
    control_on_disk,
    controls_for,
    fetch_control,
    hint_told,
    locate_control,
)
from imaginairy.sources.fetch import source_of
from imaginairy.sources.roles import CONTROL
from imaginairy.sources.rows import (
    Address,
    BundledFolder,
    ControlRow,
    HubFile,
    HubRepo,
    LocalPath,
)
from imaginairy.sources.shelves import CONTROLS
from tests.support.hub_environment import hub_environment
from tests.support.hub_server import HubServer, Repo
from tests.support.odd_server import OddServer

USUAL = "diffusion_pytorch_model"


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


def test_every_row_is_of_a_family_and_takes_kinds_of_hints() -> None:
    names = {family.name for family in FAMILIES}
    for row in CONTROL_ROWS:
        assert row.family in names
        assert row.hints
        assert {*row.hints} <= {*WORDS}
        assert row.is_union == (len(row.hints) > 2)
        assert row.design
        assert hint_told(row.name, row) == (None if row.is_union else row.hints[0])
        published = ControlRow(CONTROL, "x", "", row.weights, "")
        if not row.is_union and not isinstance(row.weights, BundledFolder):
            assert hint_told("x", published) in row.hints, "its file's name says it too"
    assert {*UNION} <= {*WORDS}
    assert len({word for more in WORDS.values() for word in more} | {*WORDS}) == len(
        KINDS
    )


def test_kinds_go_by_the_names_that_hints_go_by() -> None:
    for kind in WORDS:
        if kind in HINTS:
            for word in HINTS[kind].also:
                assert KINDS[word] == kind
    for word, kind in KINDS.items():
        if kind in HINTS and any(word in each.also for each in HINTS.values()):
            assert hint_kind(word).name == kind


@pytest.mark.parametrize(
    ("kind", "family", "row"),
    [
        ("canny", "sd1", "sd15-canny"),
        ("Edges", "sd1", "sd15-canny"),
        ("openpose", "sd1", "sd15-openpose"),
        ("lineart", "sd1", "sd15-lineart"),
        ("tile", "sd1", "sd15-tile"),
        ("color", "sd1", "t2i-sd15-colour"),
        ("hed", "sd2", "sd21-softedge"),
        ("canny", "sdxl", "sdxl-canny"),
        ("sketch", "sdxl", "sdxl-scribble"),
        ("seg", "sdxl", "sdxl-union-promax"),
        ("inpaint", "sdxl", "sdxl-union-promax"),
    ],
)
def test_a_kind_of_hint_means_the_control_of_the_models_family(
    kind: str, family: str, row: str
) -> None:
    found = locate_control(kind, family)
    assert found == known(CONTROL, row)
    assert hint_told(kind, found) == KINDS[kind.lower()]


def test_controlnets_come_before_t2i_adapters() -> None:
    for family in ("sd1", "sd2", "sdxl"):
        light = [row.design == T2I_ADAPTER for row in controls_for(family)]
        assert light == sorted(light)
        assert not controls_for(family, bundled=True) or all(
            isinstance(row.weights, BundledFolder)
            for row in controls_for(family, bundled=True)
        )
    assert controls_for("sdxl-refiner") == ()


def test_rows_go_by_their_own_names_and_the_published_ones() -> None:
    row = known(CONTROL, "sd15-canny")
    assert locate_control("SD15-Canny", "sd1") == row
    assert locate_control("control_v11p_sd15_canny", "sd1") == row
    promax = locate_control("sdxl-union-promax", "sdxl")
    assert isinstance(promax, ControlRow)
    assert promax.is_union
    assert hint_told("sdxl-union-promax", promax) is None
    assert hint_told("depth", promax) == "depth"
    with pytest.raises(UnknownModelError) as raised:
        locate_control("sd15-canny", "sdxl")
    assert str(raised.value).startswith(
        "The control 'sd15-canny' is for Stable Diffusion 1.x and not for Stable "
        "Diffusion XL; give a kind of hint, canny, depth, pose, "
    )


def test_what_another_tool_fetched_is_not_fetched_again(home: Path) -> None:
    model = save(home / "webui/models/Stable-diffusion/m.safetensors")
    there = save(home / "webui/models/ControlNet/control_v11p_sd15_canny_fp16.pth")
    row = locate_control("canny", "sd1", model)
    assert (row.name, row.hint) == ("sd15-canny", "canny")
    assert row.weights == LocalPath(there)
    assert fetch_control(row) == there
    assert control_on_disk(locate_control("canny", "sd1")) is None


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("my_sd15s2_lineart_anime.pth", "lines"),
        ("t2i-adapter_diffusers_xl_depth_zoe.safetensors", "depth"),
        ("OpenPoseXL2.safetensors", "pose"),
        ("MyOwn.safetensors", None),
        (f"my-canny/{USUAL}.fp16.safetensors", "canny"),
    ],
)
def test_files_in_folders_go_by_their_names(
    file: str, hint: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = home / "mine"
    monkeypatch.setenv(
        CONTROLS.variable, os.pathsep.join([str(home / "no"), str(mine)])
    )
    path = save(mine / file)
    name = CONTROLS.name_of(path)
    row = locate_control(name, "sd1")
    assert (row.name, row.weights, row.is_known) == (name, LocalPath(path), True)
    assert hint_told(name, row) == hint
    assert fetch_control(row) == path
    with pytest.raises(UnknownModelError) as raised:
        locate_control(f"{name}0", "sd1")
    said = str(raised.value)
    assert f"; those found are {name}; there is no folder '{home / 'no'}'; give" in said
    assert said.endswith(f" in {CONTROLS.variable}. Did you mean '{name}'?") or (
        name != name.lower()
    )


def test_paths_repositories_and_addresses(home: Path) -> None:
    path = save(home / "here" / "mine.safetensors")
    by_path = locate_control("mine.safetensors", "sd1")
    assert (by_path.name, by_path.is_known) == (str(path), False)
    assert by_path.weights == LocalPath(path)
    assert locate_control("me/mine@v2", "sd1").weights == HubRepo("me/mine", "v2")
    file = locate_control("me/mine:a/canny.pth", "sd1")
    assert file.weights == HubFile("me/mine", "a/canny.pth")
    assert hint_told(file.name, file) == "canny"
    url = "https://example.org/depth.safetensors?token=x"
    row = locate_control(url, "sd1")
    assert row.weights == Address(url)
    assert source_of(row) == row.name == "https://example.org/depth.safetensors"
    assert control_on_disk(row) is None


def test_a_folder_that_diffusers_saved(home: Path) -> None:
    folder = home / "here" / "canny"
    path = save(folder / f"{USUAL}.safetensors")
    save(folder / f"{USUAL}.fp16.safetensors")
    (folder / "config.json").write_text("{}")
    row = locate_control("./canny", "sd1")
    assert fetch_control(row) == path
    assert hint_told(row.name, row) == "canny"
    path.unlink()
    assert fetch_control(row).name == f"{USUAL}.fp16.safetensors"
    for name in ("a.pth", "b.pth"):
        save(home / "here" / "two" / name)
    with pytest.raises(UnknownModelError, match=r"2 files of weights \(.*two:FILE\."):
        fetch_control(locate_control("./two", "sd1"))


def test_what_nothing_goes_by_is_said_with_what_there_is() -> None:
    with pytest.raises(UnknownModelError) as raised:
        locate_control("cany", "sd1")
    assert str(raised.value) == (
        "There is no control 'cany' for Stable Diffusion 1.x: kinds of hints are "
        "canny, depth, pose, lines, softedge, scribble, segmentation, normal, mlsd, "
        "shuffle, tile, inpaint, colours; give one of these, a name that aimg models "
        "lists, the path of one, owner/repo or owner/repo:FILE on the hub, or a web "
        f"address, or name the folders of yours in {CONTROLS.variable}. Did you mean "
        "'canny'?"
    )
    with pytest.raises(UnknownModelError) as raised:
        locate_control("canny", "other")
    said = str(raised.value)
    assert said.startswith("There is no control 'canny' for the family 'other': no ki")
    assert said.endswith(f" in {CONTROLS.variable}.")
    with pytest.raises(UnknownModelError, match=r"1\.x and not for the bundled model"):
        locate_control("sd15-canny", "sd1", bundled=True)
    with pytest.raises(UnknownModelError, match=r"A strength is written NAME=0\.8, an"):
        locate_control("zzzzz:0.8", "sd1")
    with pytest.raises(UnknownModelError, match="control 'inpaint' for Stable Dif"):
        locate_control("inpaint", "sd2")


def test_a_row_is_fetched_once_with_its_settings(home: Path) -> None:
    row = locate_control("shuffle", "sd1")
    assert isinstance(row.weights, HubRepo)
    weights = save(home / "w.safetensors").read_bytes()
    settings = json.dumps({"global_pool_conditions": True}).encode()
    files = {
        "README.md": b"-", "config.json": settings, "sd.png": b"-",
        f"{USUAL}.bin": b"-", f"{USUAL}.safetensors": weights,
        f"{USUAL}.fp16.safetensors": weights,
    }  # fmt: skip
    with (
        HubServer({row.weights.repo: Repo(files)}) as server,
        hub_environment(HF_HOME=str(home / "hub"), HF_ENDPOINT=server.url),
    ):
        assert control_on_disk(row) is None
        fetched = fetch_control(row, half=True)
        assert fetched.name == f"{USUAL}.fp16.safetensors"
        assert fetched.with_name("config.json").read_bytes() == settings
        assert {*server.downloads()} == {"config.json", fetched.name}
        server.requests.clear()
        assert fetch_control(row) == control_on_disk(row) == fetched
        assert server.requests == []


def test_offline_it_is_said_what_cannot_be_fetched(home: Path) -> None:
    row = locate_control("canny", "sd1")
    with (
        hub_environment(HF_HOME=str(home / "hub"), HF_HUB_OFFLINE="1"),
        pytest.raises(
            HubUnreachableError, match=r"sd15_canny' cannot be down.*HF_HUB_OFFLINE is"
        ),
    ):
        fetch_control(row)


@pytest.mark.usefixtures("private_urls")
def test_what_lies_at_an_address_is_kept_among_controls(home: Path) -> None:
    data = save(home / "w.safetensors").read_bytes()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with OddServer(head + data) as server:
        url = f"{server.url}/my-canny.safetensors"
        fetched = fetch_control(locate_control(url, "sd1"))
        assert fetched.is_relative_to(CONTROLS.fetched)
        assert control_on_disk(locate_control(url, "sd1")) == fetched
        assert locate_control("my-canny", "sd1").weights == LocalPath(fetched)
