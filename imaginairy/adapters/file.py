"""Files of adapters: what they hold, and where that belongs in a model."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from imaginairy.adapters.delta import Delta
from imaginairy.adapters.kinds import BIASES, MAGNITUDES, Factors, kind_of
from imaginairy.adapters.names import Drawing, Table, is_ignored
from imaginairy.adapters.scales import Scales, scales_of
from imaginairy.adapters.suffixes import BUNDLED, parted, refused
from imaginairy.errors import CheckpointError
from imaginairy.families.adapter_kinds import instead, is_family, is_kin
from imaginairy.families.family import Header
from imaginairy.families.signs import Stranger
from imaginairy.families.strangers import stranger
from imaginairy.log import log
from imaginairy.weights.folder import weights_in
from imaginairy.weights.leftovers import some
from imaginairy.weights.weightfile import Tensors, open_weights

ANY = {"alpha", *MAGNITUDES, *BIASES}
"""Suffixes that may stand beside those of any kind."""


@dataclass(frozen=True)
class Found:
    """Which layers of a model an adapter changes, and what of it has no place there."""

    adapter: "Adapter"
    deltas: Mapping[str, Mapping[str, Sequence[Delta]]]
    """By the role of the network and the name of the layer in it."""
    blocks: Mapping[tuple[str, str], tuple[str, ...]]
    """What the block of a layer may be called, most exact first."""
    unused: Sequence[str]
    """Names in the file that have no place in the model."""
    why: str = ""
    """A sentence that says why, where that is known."""

    def require_finite(self) -> None:
        """Check that no number is NaN or infinite.

        Raises:
            CheckpointError: there are some.
        """
        if self._broken:
            raise CheckpointError(
                f"'{self.adapter.path}' holds numbers that are not finite (NaN or "
                f"infinity) in {len(self._broken)} of its tensors "
                f"({some(self._broken)}), so the file is broken; fetch it again."
            )

    @cached_property
    def _broken(self) -> Sequence[str]:
        tensors, unused = self.adapter.tensors, {*self.unused}
        return [
            name
            for name in tensors.shapes
            if name not in unused
            and not bool(tensors.read(name).float().isfinite().all())
        ]


@dataclass(frozen=True, eq=False)
class Adapter:
    """An adapter in a file, whose tensors stay there until they are used."""

    path: Path
    tensors: Tensors
    scales: Scales
    """What it, or a file beside it, says of how much its changes count."""

    @property
    def said(self) -> Mapping[str, str]:
        """What the file says of itself."""
        return self.tensors.metadata

    @cached_property
    def told(self) -> Stranger | None:
        """What kind of adapter it is and for which family, where that is known."""
        return stranger(Header(self.tensors.shapes.copy, metadata=self.said))

    @cached_property
    def layers(self) -> Mapping[str, Mapping[str, str]]:
        """The names of tensors, by the layer and the suffix that they say."""
        layers: dict[str, dict[str, str]] = {}
        for name in self.tensors.shapes:
            if said := parted(name):
                layer, suffix = said
                layers.setdefault(layer, {})[suffix] = name
        return layers

    @cached_property
    def embeddings(self) -> Mapping[str, Mapping[str, str]]:
        """The learned words that come with it: names of tensors by their own name."""
        words: dict[str, dict[str, str]] = {}
        for name in self.tensors.shapes:
            if found := BUNDLED.fullmatch(name):
                words.setdefault(found["word"], {})[found["tensor"]] = name
        return words

    def found_in(self, model: Drawing) -> Found:
        """Return where in a model it belongs; what has no place there is said once.

        Raises:
            CheckpointError: it is for another family of models, or nothing of it has a
                place.
        """
        self._refuse_other_family(model)
        found = self._places.get(model.network)
        if found is None:
            found = self._places[model.network] = self._found_in(model)
            if found.unused:
                log.warning(
                    "%s: %d of its %d tensors have no place in this model and are not "
                    "used (%s).%s",
                    self.path,
                    len(found.unused),
                    len(self.tensors.shapes),
                    some(found.unused),
                    found.why,
                )
        return found

    @cached_property
    def _places(self) -> WeakKeyDictionary[nn.Module, Found]:
        return WeakKeyDictionary()

    def _refuse_other_family(self, model: Drawing) -> None:
        told = self.told
        if told is None or told.family is None or is_family(told.family, model.family):
            return
        by_shapes = stranger(Header(self.tensors.shapes.copy))
        family = (by_shapes and by_shapes.family) or ""
        if is_family(family, model.family, alone=True):
            return  # whoever wrote what it says of itself was mistaken
        raise CheckpointError(
            f"'{self.path}' is {told.title}; the model is {model.family.title}."
        )

    def delta(self, layer: str) -> tuple[Delta, Collection[str]] | None:
        """Return what it makes of a layer, and the names of the tensors that say it.

        Args:
            layer: one of `layers`.
        """
        names = self.layers[layer]
        kind = kind_of({*names})
        if kind is None:
            return None
        taken = {k: v for k, v in names.items() if k in ANY or k in kind.takes}
        read = {suffix: self.tensors.read(name) for suffix, name in taken.items()}
        alpha, on_input = read.pop("alpha", None), read.pop("on_input", None)
        said = self.scales.of(layer)
        factors = Factors(
            read,
            alpha=_number(alpha),
            fixed=said.scale(layer, read) if alpha is None else None,
            on_input=bool(_number(on_input)) or said.on_input(layer),
        )
        return Delta(kind, factors), taken.values()

    def _found_in(self, model: Drawing) -> Found:
        table = Table(model)
        deltas: dict[str, dict[str, list[Delta]]] = {}
        used: set[str] = set()
        fits: dict[Hashable, bool] = {}
        mixed: set[str] = set()
        for layer in self.layers:
            places = table.find(layer)
            found = self.delta(layer) if places else None
            if found is None:
                continue
            delta, names = found
            for place in places:
                ours = table.layer(place)
                part = replace(
                    delta, part=place.part, parts=place.parts, span=place.span
                )
                bias = getattr(ours, "bias", None)
                form = (part.form(), ours.weight.shape, bias is None)
                if form not in fits:  # most layers are like others
                    fits[form] = part.fits(ours.weight, bias)
                if fits[form]:
                    of_role = deltas.setdefault(place.role, {})
                    of_role.setdefault(place.module, []).append(part)
                    used |= {*names}
                elif why := part.mixed(ours.weight):
                    mixed.add(why)
        unused = [
            name
            for name in self.tensors.shapes
            if name not in used and not BUNDLED.fullmatch(name) and not is_ignored(name)
        ]
        if not deltas and not self.embeddings:
            raise CheckpointError(self._why_none(model, unused) + _apart(mixed))
        return Found(self, deltas, table.blocks, unused, _apart(mixed))

    def _why_none(self, model: Drawing, names: Sequence[str]) -> str:
        title = "an adapter" if self.told is None else self.told.title
        return (
            f"'{self.path}' is {title} and fits no layer of this model, which is "
            f"{model.family.title}: its tensors are {some(names)}."
        )


def _apart(mixed: Collection[str]) -> str:
    """Say why changes of fused layers are not made of their parts; else nothing."""
    if not mixed:
        return ""
    return (
        " Some change layers that are fused there and several here, each of which "
        f"needs the others: {' and '.join(sorted(mixed))}."
    )


def read_adapter(path: Path) -> Adapter:
    """Open an adapter: a file, or a folder as PEFT and diffusers write it.

    Raises:
        CheckpointError: it is broken, unsafe, or no adapter of a kind that is
            supported.
    """
    file = weights_in(path) if path.is_dir() else path
    tensors = open_weights(file)
    if why := refused(tensors.shapes):
        raise CheckpointError(f"'{path}' is {why}.")
    adapter = Adapter(file, tensors, scales_of(file, tensors))
    if not adapter.embeddings and not any(
        kind_of({*names}) for names in adapter.layers.values()
    ):
        raise CheckpointError(f"'{path}' {_what_else(adapter)}.")
    return adapter


def _what_else(adapter: Adapter) -> str:
    """Say what a file is of which no layer is changed, in words."""
    told, held = adapter.told, some(adapter.tensors.shapes)
    if told is None:
        return f"holds {held}, which is no LoRA or one of its kin"
    if is_kin(told):
        return f"is {told.title.rstrip(',')} and holds no whole change: only {held}"
    return f"is {told.title}, which is no LoRA or one of its kin{instead(told)}"


def _number(tensor: Tensor | None) -> float | None:
    """Return the one number of a tensor; None where it has another many."""
    return None if tensor is None or tensor.numel() != 1 else float(tensor)
