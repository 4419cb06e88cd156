"""Which model of a role suits a picture where none is named.

The published one does, where it is on this machine or can be fetched. Where it cannot,
its bundled stand-in knows nothing but the world of the bundled model, so it takes only
pictures of that world: such as say by their tags that the bundled model generated them
from text, or look so.
"""

from PIL.Image import Image

from imaginairy.errors import ForeignPictureError
from imaginairy.images import upright_rgb
from imaginairy.metadata.read import written_in
from imaginairy.models.look import read_look
from imaginairy.models.store import ModelStore
from imaginairy.said import all_is_well, warn_daily
from imaginairy.sources.catalog import find, known
from imaginairy.sources.lacking import Missing
from imaginairy.sources.locate import named
from imaginairy.sources.roles import BUNDLED_MODEL, DRAWS, ROLES, Role
from imaginairy.sources.rows import BundledFolder


def suited(store: ModelStore, role: str, name: str | None, image: Image | None) -> str:
    """Return the name of the model of a role that suits a picture.

    One that is named does. Else that is the published one, where it can be had, or what
    takes its place, which is said.

    Args:
        image: the picture; None means one that another than the bundled model makes.

    Raises:
        ForeignPictureError: no model at hand knows such pictures.
    """
    if name is not None:
        return named(name)
    if lacking := store.lacking(role):
        return in_place_of(lacking, image, store)
    all_is_well(role)
    return ROLES[role].published


def in_place_of(lacking: Missing, image: Image | None, store: ModelStore) -> str:
    """Return the name of what does for a picture without the published model.

    Raises:
        ForeignPictureError: nothing does; the message says what to fetch.
    """
    spec, row = lacking.row, ROLES[lacking.row.role]
    if row.bundled is not None and image is not None and is_at_home(image):
        warn_daily(
            spec.role,
            f"{spec.name} is not on this machine and cannot be fetched "
            f"({lacking.reason}); using the bundled {row.noun}, {row.bundled}.",
        )
        return row.bundled
    if row.fallback is None:
        raise ForeignPictureError(refusal(lacking, row, image))
    store.say_once(
        f"{described(image)} is not of {BUNDLED_MODEL}'s world, which is all that the "
        f"bundled {row.noun} knows, and {spec.name} cannot be fetched "
        f"({lacking.reason}); enlarging with {row.fallback}, a classical filter.",
        about=(described(image), row.fallback),
    )
    return row.fallback


def refusal(lacking: Missing, row: Role, image: Image | None) -> str:
    """Say what is lacking for a picture, and how to get it."""
    return (
        f"{described(image)} is not of {BUNDLED_MODEL}'s world, which is all that the "
        f"bundled {row.noun} knows, and {lacking.row.name} is not on this machine and "
        f"cannot be fetched ({lacking.reason}); fetch it by running this once where "
        f"{lacking.source} can be reached, or name {row.bundled} to use that anyway."
    )


def described(image: Image | None) -> str:
    """Name a picture in a sentence."""
    if image is None:
        return "What this model generates"
    file = getattr(image, "filename", "")
    return f"'{file}'" if file else "The picture"


def is_at_home(image: Image) -> bool:
    """Tell whether a picture is of the bundled model's world.

    Its tags say so where it was generated from text alone. One that began with another
    picture may show much of that, so that its look decides.
    """
    written = written_in(image).metadata
    if written is not None and not written.get("init_image"):
        spec = find(DRAWS, str(written.get("model")))
        if spec is not None and spec.defaults.companions == "bundled":
            return True
    weights = known(DRAWS, BUNDLED_MODEL).weights
    assert isinstance(weights, BundledFolder)
    return read_look(weights.path).fits(upright_rgb(image))
