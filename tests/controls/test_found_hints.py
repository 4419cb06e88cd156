"""Controls whose hints models find: drawn under, and where there is no such model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imaginairy import ImaginePrompt, ModelStore, imagine
from imaginairy.errors import HubUnreachableError
from imaginairy.hints.make import make_hint
from imaginairy.hints.table import HINTS
from imaginairy.settling import settled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import ROLES
from imaginairy.sources.rows import HubFile, HubRepo
from tests.support.depths import save_depths
from tests.support.edges import save_edges
from tests.support.hub_environment import hub_environment
from tests.support.poses import save_people, save_pose
from tests.support.roads import Ours
from tests.support.scenes import save_scenes

Ask = Callable[..., ImaginePrompt]
FOUND = [name for name, row in HINTS.items() if row.role is not None]
SAVED: dict[str, Callable[[Path], Any]] = {
    "depth": save_depths,
    "soft-edges": lambda folder: save_edges(folder / "ControlNetHED.pth"),
    "segmenter": save_scenes,
    "pose": save_pose,
    "person-detector": save_people,
}
"""What saves a tiny model of each role."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache of the hub in which tiny models lie where published ones would."""
    home = tmp_path_factory.mktemp("home")
    for role, save in SAVED.items():
        place = known(role, ROLES[role].published).weights
        assert isinstance(place, HubFile | HubRepo)
        repo = f"models--{place.repo.replace('/', '--')}"
        folder = home / "hub" / repo / "snapshots" / place.revision
        folder.mkdir(parents=True)
        save(folder)
    return home


@pytest.mark.parametrize("kind", FOUND)
def test_hints_are_found_by_the_published_model(
    kind: str, tiny_folder: Path, ask: Ask, nets: dict[str, Any], cache: Path,
    hint: Image.Image,
) -> None:  # fmt: skip
    with hub_environment(HF_HOME=str(cache), HF_HUB_OFFLINE="1"):
        store = ModelStore("cpu")
        found, without = imagine(
            [ask(controls=f"{nets['one'][1]}{say},hint={kind}") for say in ("", "=0")],
            store=store,
        )
        wanted = make_hint(kind, hint, hint.size, store.finder)
    assert found.images[f"hint_{kind}"].tobytes() == wanted.tobytes()
    assert found.img.tobytes() != without.img.tobytes()


@pytest.mark.parametrize("kind", FOUND)
def test_without_the_model_a_hint_can_be_given(
    kind: str, ours: Ours, ask: Ask, nets: dict[str, Any], tmp_path: Path
) -> None:
    asked = f"{nets['one'][1]},hint={kind}"
    with hub_environment(HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1"):
        said = f"offline.* finds what the hint {kind} shows; a hint that is ready can"
        with pytest.raises(HubUnreachableError, match=rf"(?i){said}"):
            settled(ask(controls=asked), ours.store)
        ready = settled(ask(controls=f"{asked},raw"), ours.store)
    assert [each.hint for each in ready.controls] == [kind]
