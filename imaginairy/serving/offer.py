"""What a server has to draw with: models and adapters, by names that tell no path."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from imaginairy.checks import parse_refiner
from imaginairy.errors import BadOptionError, near_miss, shown
from imaginairy.families.table import family_named
from imaginairy.schema import ImaginePrompt
from imaginairy.serving.refusals import NotOfferedError
from imaginairy.sources import image_prompts
from imaginairy.sources.adapter_folders import files
from imaginairy.sources.adapters import is_path
from imaginairy.sources.catalog import known, models_for
from imaginairy.sources.control_rows import KINDS
from imaginairy.sources.controls import control_on_disk, controls_for, lying
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.image_prompts import image_prompt_on_disk
from imaginairy.sources.roles import IMAGE_ENCODER, ROLES
from imaginairy.sources.rows import (
    BundledFolder,
    ImagePromptRow,
    LocalPath,
    ModelRow,
    NoWeights,
)
from imaginairy.sources.shelves import CONTROLS

MOST_SHOWN = 12
ANY_PATH = r"(?<![\w/:.])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\"/\\]+[/\\])+"
"""The folders before the last part of a path, in a message."""


@dataclass(frozen=True)
class Offer:
    """The models that draw, by the names that requests know them by.

    The first is the one that draws where a request names none.
    """

    models: Mapping[str, ModelRow]

    @classmethod
    def of(
        cls, names: Sequence[str | None], locate: Callable[[str | None], ModelRow]
    ) -> "Offer":
        """Offer the models that somebody names; without a name, the usual one.

        Raises:
            BadOptionError: two of them would go by the same name.
            UnknownModelError: nothing goes by one of the names.
        """
        models: dict[str, ModelRow] = {}
        for name in names or [None]:
            row = locate(name)
            public = public_name(row)
            if models.setdefault(public, row) != row:
                raise BadOptionError(
                    f"Two models would go by '{public}', '{models[public].name}' and "
                    f"'{row.name}'; rename one of them."
                )
        return cls(models)

    @property
    def usual(self) -> str:
        """The name of the model that draws where a request names none."""
        return next(iter(self.models))

    def model(self, field: str, name: str | None) -> str:
        """Return what the store knows a model by.

        Raises:
            NotOfferedError: it is none of these.
        """
        row = self.models.get(self.usual if name is None else name)
        if row is None:
            raise _not_offered(ROLES["draws"].noun, name, list(self.models))
        return row.name

    def looks_at_references(self, name: str | None) -> bool:
        """Tell whether a model that a request names looks at reference images.

        Raises:
            NotOfferedError: it is none of these.
        """
        found = self.model("model", name)
        row = next(row for row in self.models.values() if row.name == found)
        family = family_named(row.family)
        return family is not None and family.looks_at_references(refers=row.refers)

    def refiner(self, field: str, value: Any) -> str:
        """Return a refiner that is one of the models; see `model`."""
        name, share = parse_refiner(value, field)
        return f"{self.model(field, name)}@{share:g}"

    def adapters(self, model: str) -> list[str]:
        """Return the names of the adapters in the server's folders, for a model."""
        found = files(self._home(model))
        return list(dict.fromkeys(name for name, _ in found if not is_path(name)))

    def controls(self, model: str) -> list[str]:
        """Return the names of the controls on this machine, for a model.

        Those are kinds of hints too, where what they mean need not be fetched.
        """
        row = next(row for row in self.models.values() if row.name == model)
        home = home_of(row)
        found = (name for name, _ in files(home, CONTROLS) if not is_path(name))
        bundled = isinstance(row.weights, BundledFolder)
        listed = controls_for(row.family, bundled=bundled)
        kinds = {kind: each for each in reversed(listed) for kind in each.hints}
        here = [each for each in listed if control_on_disk(lying(each, home))]
        words = (word for word, kind in KINDS.items() if kinds.get(kind) in here)
        return list(dict.fromkeys([*words, *(each.name for each in here), *found]))

    def image_adapters(self, model: str) -> list[str]:
        """Return the names of the IP-Adapters on this machine, for a model.

        Those of the catalog are there with what sees for them.
        """
        home = self._home(model)
        here = [
            row.name
            for row in self._image_adapters_for(model)
            if image_prompt_on_disk(image_prompts.lying(row, home))
            and on_disk(known(IMAGE_ENCODER, row.encoder))
        ]
        found = (name for name in image_prompts.own_names(home) if not is_path(name))
        return list(dict.fromkeys([*here, *found]))

    def image_adapter(self, model: str, name: str | None) -> str | None:
        """Return an IP-Adapter that a request names for a model, or the usual one.

        None where none is known for that.

        Raises:
            NotOfferedError: it would have to be fetched, or is none of the server's.
        """
        listed = self._image_adapters_for(model)
        meant = listed[0].name if name is None and listed else name
        if meant is not None:
            require_adapter(meant, self.image_adapters(model), "IP-Adapter")
        return meant

    def _image_adapters_for(self, model: str) -> Sequence[ImagePromptRow]:
        row = next(row for row in self.models.values() if row.name == model)
        bundled = isinstance(row.weights, BundledFolder)
        return image_prompts.adapters_for(row.family, bundled=bundled)

    def _home(self, model: str) -> Path | None:
        return next(home_of(row) for row in self.models.values() if row.name == model)

    def public(self, prompt: ImaginePrompt) -> ImaginePrompt:
        """Return a prompt as a request would name its models."""
        names = {row.name: name for name, row in self.models.items()}
        refiner = prompt.refiner
        if refiner is not None:
            name, share = parse_refiner(refiner)
            refiner = f"{names.get(name, name)}@{share:g}"
        model = prompt.model and names.get(prompt.model, prompt.model)
        return replace(prompt, model=model, refiner=refiner)

    def hidden(self, value: Any) -> Any:
        """Return a text, or texts in lists and tables, without the folders of paths."""
        match value:
            case str():
                for name, row in self.models.items():
                    value = value.replace(row.name, name)
                return re.sub(ANY_PATH, "", value)
            case Mapping():
                return {key: self.hidden(each) for key, each in value.items()}
            case list() | tuple():
                return [self.hidden(each) for each in value]
        return value


def public_name(row: ModelRow) -> str:
    """Return what a request calls a model: of a path its last part, without ending."""
    if not isinstance(row.weights, LocalPath):
        return row.name
    path = row.weights.path.resolve()
    return path.name if path.is_dir() else path.stem


def home_of(row: ModelRow) -> Path | None:
    """Return the file or folder that a model lies in, where that is the owner's."""
    return row.weights.path if isinstance(row.weights, LocalPath) else None


def beside(role: str) -> Callable[[str, Any], str]:
    """Return what takes the name of a model of a role that is on this machine."""
    return partial(_beside, role)


def _beside(role: str, field: str, name: Any) -> str:
    there = {
        row.name
        for row in models_for(role)
        if isinstance(row.weights, NoWeights) or on_disk(row)
    }
    if not isinstance(name, str) or name not in there:
        raise _not_offered(ROLES[role].noun, name, sorted(there))
    return name


def require_adapter(name: str, known: Sequence[str], noun: str = "adapter") -> None:
    """Refuse an adapter that does not lie in the server's folders.

    Raises:
        NotOfferedError: it does not.
    """
    if name not in known:
        raise _not_offered(noun, name, known)


def _not_offered(noun: str, name: Any, names: Sequence[str]) -> NotOfferedError:
    listed = ", ".join(names[:MOST_SHOWN])
    listed += f" and {len(names) - MOST_SHOWN} more" if names[MOST_SHOWN:] else ""
    has = f"it has {listed}" if names else "it has none"
    hint = near_miss(name, names) if isinstance(name, str) else ""
    return NotOfferedError(f"This server has no {noun} {shown(name)}; {has}.{hint}")
