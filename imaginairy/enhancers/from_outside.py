"""Enhancers of other packages: imported when a picture is begun, run after drawing."""

from dataclasses import replace

from imaginairy.enhancers import Enhancer, Work
from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.plugins import brought_by, find_plugin, name_and_value
from imaginairy.schema import ImaginePrompt


def enhance(work: Work) -> Work:
    """Run the enhancers that the prompt asks for by name, in the order it does.

    Raises:
        ImaginairyError: one of them failed.
    """
    for asked in work.prompt.enhance:
        name, value = name_and_value(asked)
        try:
            work = load_plugin(name)(replace(work, value=value))
        except ImaginairyError:
            raise
        except Exception as error:  # whatever other people's code raises
            said = str(error).strip().rstrip(".") or type(error).__name__
            raise ImaginairyError(f"The enhancer '{name}' failed: {said}.") from error
        if name not in work.applied:
            work = work.with_facts(name, value or True)
    return work


def load_plugin(name: str) -> Enhancer:
    """Import the enhancer that an installed package brings under a name.

    Raises:
        BadOptionError: there is none, or several, or it cannot be used.
    """
    point = find_plugin(name)
    try:
        enhancer = point.load()
    except Exception as error:  # whatever other people's code raises
        raise BadOptionError(
            f"The enhancer '{name}' of {brought_by(point)} cannot be imported "
            f"({type(error).__name__}: {error})."
        ) from error
    if not isinstance(enhancer, Enhancer) or enhancer.name != name:
        raise BadOptionError(
            f"'{point.value}' of {brought_by(point)} is no Enhancer called '{name}'."
        )
    return enhancer


def load_plugins(prompt: ImaginePrompt) -> None:
    """Import the enhancers that a prompt asks for by name.

    This is the first that happens to a picture: to make or to read a prompt imports
    nothing of another package, and what cannot be used is said before any work.

    Raises:
        BadOptionError: one cannot be used.
    """
    for asked in prompt.enhance:
        load_plugin(name_and_value(asked)[0])
