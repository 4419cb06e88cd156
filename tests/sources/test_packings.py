"""Which packing of a model is taken, and how it is fetched and checked."""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from imaginairy.device import DEVICES
from imaginairy.errors import DownloadError, HubUnreachableError, UnknownModelError
from imaginairy.memory import memory
from imaginairy.models.room import packed_for, room_of
from imaginairy.sources import hub
from imaginairy.sources.catalog import find
from imaginairy.sources.fetch import (
    fetch,
    on_disk,
    other_parts,
    packed_here,
    size_of,
    source_of,
)
from imaginairy.sources.flow_rows import FLOW_ROWS
from imaginairy.sources.locate import locate
from imaginairy.sources.packings import Room, fits, settled
from imaginairy.sources.roles import DRAWS
from imaginairy.sources.rows import HubFile, HubRepo, ModelRow, Packing, Packings
from tests.support.hub_client import Client
from tests.support.hub_server import HubServer, Repo

GB = 10**9
BIG, SMALL = Room(200), Room(50)
FILES = {
    "draws.safetensors": b"draws" * 20,
    "draws-Q4_K.gguf": b"GGUF" * 4,
    "reads.safetensors": b"reads" * 4,
    "sub/vae.safetensors": b"decodes",
}
REPO, OTHER = "someone/parts", "someone/packed"


def file_of(path: str, repo: str = REPO) -> HubFile:
    content = FILES[path]
    return HubFile(
        repo, path, size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )


SHARED = file_of("reads.safetensors"), file_of("sub/vae.safetensors")
BF16 = Packing("bf16", (file_of("draws.safetensors"), *SHARED))
FOLDER = Packing("folder", HubRepo("someone/whole"), (60, 20, 7))
Q4_K = Packing("q4_k", (file_of("draws-Q4_K.gguf", OTHER), *SHARED))
ROW = ModelRow(
    DRAWS, "mine", "mine", Packings((BF16, FOLDER, Q4_K)), "MIT", family="z-image"
)


def taken(row: ModelRow) -> Packing:
    assert isinstance(row.weights, Packing)
    return row.weights


@pytest.fixture
def here(client: Client, server: HubServer) -> Iterator[HubServer]:
    server.repos[REPO] = Repo({k: v for k, v in FILES.items() if "gguf" not in k})
    server.repos[OTHER] = Repo({k: v for k, v in FILES.items() if "gguf" in k})
    with client.here():
        yield server


@pytest.mark.parametrize(
    ("gigabytes", "taken_of"),
    [
        (6, ("q4_k", "q4_0", "q4_k", "q4_k")),
        (8.2, ("q4_k", "q4_0", "q4_k", "q4_k")),
        (16.5, ("q8_0", "q8_0", "q4_k", "q4_k")),
        (33, ("bf16", "bf16", "q8_0", "bf16")),
        (64, ("bf16", "bf16", "bf16", "bf16")),
    ],
)
def test_the_best_that_fits_the_memory_is_taken(
    gigabytes: float, taken_of: tuple[str, ...]
) -> None:
    room = Room(int(gigabytes * GB))
    for row, name in zip(FLOW_ROWS, taken_of, strict=True):
        packing = taken(settled(row, room, ()))
        assert packing.name == name
        assert f"this machine has {gigabytes:.1f} GB of memory; " in packing.chosen
        smallest = "it is the smallest, and " in packing.chosen
        assert smallest is not fits(packing, room)


def test_of_each_file_its_size_is_known_and_its_sum_a_sum() -> None:
    for row in FLOW_ROWS:
        assert isinstance(row.weights, Packings)
        names = [each.name for each in row.weights.choices]
        assert len({*names}) == len(names) and names[0] == "bf16"
        for packing in row.weights.choices:
            assert all(packing.sizes) and len(packing.sizes) >= 1
            for file in packing.places:
                if isinstance(file, HubFile):
                    assert (file.size is None) == (file.about > 0)
                    assert file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32


def test_what_is_taken_is_said_in_a_line() -> None:
    said = taken(settled(FLOW_ROWS[0], Room(int(8.2 * GB)), ())).chosen
    assert said == (
        "z-image-turbo: Q4_K, 6.7 GB, because this machine has 8.2 GB of memory; "
        "others: --model z-image-turbo:bf16, z-image-turbo:folder, z-image-turbo:q8_0"
    )
    little = settled(FLOW_ROWS[0], Room(64 * GB, little=True), ())
    assert "Q4_K, 6.7 GB, because little memory is to be taken" in taken(little).chosen
    unsaid = taken(settled(FLOW_ROWS[0], Room(None), ()))
    assert unsaid.name == "q8_0" and "does not say how much" in unsaid.chosen


def test_on_a_device_parts_may_take_turns_where_the_machine_holds_them() -> None:
    row = FLOW_ROWS[0]
    for device, machine, name in (
        (8, 32, "q4_k"),
        (12, 32, "q8_0"),
        (16, 32, "bf16"),  # 12.3 GB and what a picture takes
        (16, 12, "q8_0"),  # the machine would not hold what waits there
        (32, 12, "bf16"),  # all of it is on the device
    ):
        room = Room(device * GB, "the device 'cuda'", host=machine * GB)
        packing = taken(settled(row, room, ()))
        assert packing.name == name, (device, machine)
        assert f"the device 'cuda' has {device}.0 GB of memory" in packing.chosen


def test_the_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, (_, machine) = torch.device("cpu"), memory()
    assert room_of(cpu, little=True) == Room(machine, little=True)
    pretended = replace(DEVICES["cpu"], own=lambda _: 8 * GB)
    monkeypatch.setitem(DEVICES, "cpu", pretended)
    assert room_of(cpu) == Room(8 * GB, "the device 'cpu'", host=machine)
    assert taken(packed_for(FLOW_ROWS[1], cpu)).name in ("q8_0", "q4_0")
    assert room_of(torch.device("meta")) == Room(machine)


def test_a_packing_goes_by_name() -> None:
    row = locate(DRAWS, "Z-Image:Q8_0")
    assert row.name == "z-image-turbo:q8_0" and taken(row).name == "q8_0"
    assert row.size == size_of(row, None) == 6577440704 + 4280405792 + 335304388
    assert not taken(row).chosen, "it was asked for"
    assert source_of(row).count("https://") == 3
    assert find(DRAWS, "sd15:q8_0") is None
    with pytest.raises(UnknownModelError) as refused:
        locate(DRAWS, "schnell:q9")
    assert str(refused.value) == (
        "The model 'flux1-schnell' does not come as 'q9'; give one of "
        "flux1-schnell:bf16, flux1-schnell:folder, flux1-schnell:q8_0, "
        "flux1-schnell:fp8, flux1-schnell:q4_k, or 'flux1-schnell' for the one that "
        "fits."
    )


def test_what_fits_is_fetched_and_said(
    here: HubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="imaginairy")
    row = packed_here(ROW, SMALL)
    assert on_disk(row) is None and other_parts(row) == ()
    here.drops = {"draws-Q4_K.gguf": 1}  # it is gone on with
    path = fetch(row)
    assert path.read_bytes() == FILES["draws-Q4_K.gguf"]
    parts = [part.read_bytes() for part in other_parts(row)]
    assert parts == [b"reads" * 4, b"decodes"]
    told = [record.getMessage() for record in caplog.records]
    said = [line for line in told if line.startswith("mine: Q4_K")]
    assert len(said) == 1 and "others: --model mine:bf16, mine:folder" in said[0]
    assert "draws.safetensors" not in here.downloads()
    here.requests.clear()
    assert fetch(row) == path == on_disk(row) == on_disk(ROW)
    assert here.requests == [] and size_of(ROW, path) == 16 + 20 + 7


def test_no_second_packing_is_fetched_where_one_is_here_that_runs(
    here: HubServer,
) -> None:
    fetch(packed_here(ROW, SMALL))
    row = packed_here(ROW, BIG)
    assert taken(row).name == "q4_k"
    assert "because it is on this machine;" in taken(row).chosen
    asked = replace(ROW, name="mine:bf16", weights=BF16)
    here.requests.clear()
    fetch(asked)
    assert here.downloads() == ["draws.safetensors"], "the other parts are shared"
    assert taken(packed_here(ROW, BIG)).name == "bf16"
    assert taken(packed_here(ROW, Room(130))).name == "q4_k", "the other does not fit"
    assert taken(packed_here(ROW, SMALL)).name == "q4_k"
    assert taken(packed_here(ROW, replace(BIG, little=True))).name == "q4_k"


def test_one_that_does_not_fit_is_taken_where_no_other_can_be_had(
    here: HubServer, client: Client
) -> None:
    fetch(replace(ROW, weights=BF16))
    slowly = taken(packed_here(ROW, Room(130)))
    assert slowly.name == "bf16" and "it is on this machine;" in slowly.chosen
    streamed = Room(50, "the device 'cuda'", host=130)
    assert taken(packed_here(ROW, streamed)).name == "bf16"
    assert taken(packed_here(ROW, SMALL)).name == "q4_k"
    with client.here(HF_HUB_OFFLINE="1"):
        packing = taken(packed_here(ROW, SMALL))
    assert packing.name == "bf16"
    assert "because it is on this machine, and this machine has" in packing.chosen


def test_a_folder_is_taken_where_it_is_here(here: HubServer, client: Client) -> None:
    """The one file of a folder's repository is not the folder."""
    server_files = {
        "model_index.json": b"{}", "draws.safetensors": FILES["draws.safetensors"],
    }  # fmt: skip
    here.repos["someone/whole"] = Repo(server_files)
    hub.fetch(HubFile("someone/whole", "draws.safetensors"))
    assert on_disk(replace(ROW, weights=FOLDER)) is None
    parts = ("transformer", "vae", "text_encoder")
    weights = {f"{part}/model.safetensors": part.encode() for part in parts}
    weights["transformer/diffusion_pytorch_model.safetensors"] = b"x"
    here.repos["someone/whole"] = Repo({**server_files, **weights})
    folder = fetch(replace(ROW, weights=FOLDER))
    assert folder.is_dir() and (folder / "model_index.json").is_file()
    row = packed_here(ROW, Room(1000))
    assert taken(row).chosen.startswith("mine: folder, because it is on this machine;")
    assert row.size is None and size_of(row, folder) == size_of(ROW, folder)
    assert other_parts(replace(ROW, weights=FOLDER)) == ()


def test_what_arrives_broken_is_refused_and_fetched_again(here: HubServer) -> None:
    row = packed_here(ROW, SMALL)
    here.forged = {"draws-Q4_K.gguf"}
    with pytest.raises(DownloadError, match=r"'draws-Q4_K.gguf' of .* arrived with"):
        fetch(row)
    assert on_disk(row) is None
    here.forged, _ = set(), here.requests.clear()
    assert fetch(row).read_bytes() == FILES["draws-Q4_K.gguf"]
    assert here.downloads() == ["draws-Q4_K.gguf"]


def test_nothing_is_had_where_nothing_is_here(tmp_path: Path, closed_port: str) -> None:
    with (
        Client(tmp_path / "h", closed_port).here(),
        pytest.raises(HubUnreachableError, match="cannot be downloaded"),
    ):
        fetch(ROW)
