"""What decodes latents in little time: the tiny VAE of a model, or their colours alone.

A tiny VAE lies beside the model, or is known by name. Where there is none, what is fit
is how the model's own decoder colours latents, which are a picture of their own: small,
and with few more channels than colours.
"""

from pathlib import Path

from imaginairy.errors import ImaginairyError
from imaginairy.families.family import AUTOENCODER, Family
from imaginairy.families.table import family_named
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.store import ModelStore
from imaginairy.networks.config import AutoencoderConfig
from imaginairy.networks.tiny_autoencoder import TinyAutoencoder
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.layouts import CONFIG
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import VAE
from imaginairy.sources.rows import LocalPath, ModelRow
from imaginairy.sources.vae_rows import BUNDLED_TINY, TINY_ROWS
from imaginairy.weights.folder import ENDINGS

APPROXIMATE = ("vae_approx", "VAE-approx", "VAE-taesd")
"""Folders in which other tools keep tiny VAEs, beside that of their models."""


def tiny_vae_of(loaded: LoadedModel) -> ModelRow | None:
    """Return the tiny VAE of a model; None where none is known."""
    spec, model = loaded.spec, loaded.diffusion
    if loaded.vae and isinstance(model.decoder, TinyAutoencoder):
        return loaded.vae
    if spec.defaults.companions == "bundled":
        return BUNDLED_TINY if _is_kin(BUNDLED_TINY, model.family) else None
    row = usual_tiny_vae(model.family)
    if row is None:
        return None
    if isinstance(spec.weights, LocalPath):
        for place in _beside(spec.weights.path, row.name):
            if place.exists():
                return locate(VAE, str(place))
    # One of another size than all others of its family has latents of its own.
    usual = getattr(model.latents, "channels", None) == AutoencoderConfig.channels
    return row if usual else None


def usual_tiny_vae(family: Family) -> ModelRow | None:
    """Return the tiny VAE of a family's models; None where none is known."""
    return next((row for row in TINY_ROWS if _is_kin(row, family)), None)


def previewing(
    loaded: LoadedModel, store: ModelStore, *, fetch: bool = False
) -> DrawingModel:
    """Return a model as it decodes in little time.

    Where it has no tiny VAE, its latents' colours have to do; that is said once.

    Args:
        fetch: whether a tiny VAE is fetched that is not on this machine.
    """
    model, name = loaded.diffusion, loaded.spec.name
    if isinstance(model.decoder, TinyAutoencoder):
        return model
    row, why = tiny_vae_of(loaded), "no tiny VAE is known for it"
    if row is not None and (fetch or on_disk(row)):
        try:
            return store.get(name, decoder=row.name, **loaded.beside).diffusion
        except ImaginairyError as error:
            why = str(error).rstrip(".")
    elif row is not None:
        why = f"its tiny VAE, {row.name}, is not on this machine"
    said = f"Previews of {name} show colours alone: {why}."
    store.say_once(said, about=said)
    return model.with_decoder(model.colours)


def _is_kin(row: ModelRow, family: Family) -> bool:
    own = family_named(row.family)
    return own is not None and own.part(AUTOENCODER) == family.part(AUTOENCODER)


def _beside(path: Path, name: str) -> list[Path]:
    """Return where the tiny VAE of a name may lie beside a model."""
    folder = path.parent
    kept = (folder, folder.parent)
    own = [path] if path.is_dir() else []
    folders = (*own, folder, *(near / each for near in kept for each in APPROXIMATE))
    files = [f"{name}{end}{ending}" for end in ("_decoder", "") for ending in ENDINGS]
    names = (*files, f"{name}/{CONFIG}")
    places = [each / name for each in folders for name in names]
    return [each.parent if each.name == CONFIG else each for each in places]
