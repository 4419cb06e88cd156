"""The names of enhancers that installed packages bring.

Nothing of a package is imported here, so that a check, or reading a stranger's picture,
runs none of its code; `enhancers/from_outside.py` does when a picture is begun.
"""

from typing import TYPE_CHECKING

from imaginairy.errors import BadOptionError, near_miss

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

GROUP = "imaginairy.enhancers"
"""The entry point group under which packages name them."""
RESERVED = (
    "fix_faces",
    "safety",
    "upscale",
    "fix_upscaled_faces",
    "enhance",
    "caption",
    "label",
)
"""The names of our own enhancers, which no other may have."""


def _found() -> "EntryPoints":
    from importlib.metadata import entry_points  # and with it a reader of e-mails

    return entry_points(group=GROUP)


def plugin_names() -> list[str]:
    """Return the names that installed packages bring, sorted."""
    return sorted({point.name for point in _found()})


def name_and_value(asked: str) -> tuple[str, str]:
    """Return what stands before and behind the `=` of `vignette=0.5`."""
    name, _, value = asked.partition("=")
    return name, value


def find_plugin(name: str) -> "EntryPoint":
    """Return what an installed package says about its enhancer of a name.

    Raises:
        BadOptionError: there is none, or several, or the name is one of ours.
    """
    points = list(_found().select(name=name))
    if not points:
        names = plugin_names()
        known = f"known are: {', '.join(names)}" if names else "none is installed"
        raise BadOptionError(
            f"There is no enhancer '{name}'; {known}.{near_miss(name, names)}"
        )
    if name in RESERVED:
        raise BadOptionError(
            f"imaginairy has an enhancer '{name}' of its own, so that of "
            f"{brought_by(points[0])} cannot be used; uninstall that."
        )
    if len(points) > 1:
        bringers = " and ".join(sorted(brought_by(point) for point in points))
        raise BadOptionError(
            f"{len(points)} enhancers are called '{name}', from {bringers}; uninstall "
            "all but one."
        )
    [point] = points
    return point


def brought_by(point: "EntryPoint") -> str:
    """Name the package of an entry point."""
    return f"the package '{point.dist.name}'" if point.dist else f"'{point.value}'"
