"""Which models generate an image."""

from dataclasses import dataclass

from imaginairy import checks
from imaginairy.embedding import embeddings
from imaginairy.fields import option
from imaginairy.hypernetwork import hypernetworks
from imaginairy.lora import Lora, loras
from imaginairy.text_encoder import text_encoders


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class ModelFields:
    """What generates it."""

    model: str | None = option(
        "Model (checkpoint): a name, a path, or owner/repo on the hub.",
        checks.model, section="Model", also=("model_weights_path", "diffusion_model"),
    )  # fmt: skip
    vae: str | None = option(
        "VAE (autoencoder) in place of the model's own: a name, a path, or owner/repo "
        "on the hub; of a model, its VAE is taken.",
        checks.model, section="Model", follows=("model",),
    )  # fmt: skip
    text_encoders: tuple[str, ...] = option(
        "Text encoder in place of the model's own, or for one that has none: a name, a "
        "path, or owner/repo on the hub; of a model, its text encoders are taken. Of a "
        "model that reads by two, which is which is told by what they hold. May be "
        "given several times.",
        text_encoders, (), section="Model", called="text_encoder", follows=("model",),
        also=("text_encoder", "clip_l", "clip_g", "t5xxl", "llm"),
    )  # fmt: skip
    fast_decode: bool = option(
        "Decode the image by a tiny VAE (TAESD) in place of the model's own: in a "
        "fraction of the time and memory, a little less sharp.",
        checks.flag, False, section="Model", follows=("model",),
    )  # fmt: skip
    refiner: str | None = option(
        "Refiner: a second model, of the same kind of latents, that takes over behind "
        "the first for the rest of the noise, as sdxl-refiner@0.8: after 80 % of the "
        f"noise schedule, or {checks.USUAL_SHARE:g} where not said.",
        checks.refiner, section="Model", follows=("model",),
    )  # fmt: skip
    embeddings: tuple[str, ...] = option(
        "Learned word (textual inversion), as FILE or WORD=FILE; FILE is a name in "
        "your folders of adapters (IMAGINAIRY_ADAPTERS), a path, owner/repo[:file] on "
        "the hub or a web address. Those in the folders need not be given: the prompt "
        "says their names. May be given several times.",
        embeddings, (), section="Model", called="embedding",
        also=("embedding", "textual_inversion"),
    )  # fmt: skip
    loras: tuple[Lora, ...] = option(
        "LoRA, or one of its kin (LyCORIS), as FILE or FILE=0.8; FILE is a name in "
        "your folders of them (IMAGINAIRY_ADAPTERS), a path, owner/repo[:file] on the "
        "hub or a web address. Also FILE=0.8,unet=0.5,text=1 and, for a part of the "
        "steps, FILE=0.8@0-0.6. May be given several times.",
        loras, (), section="Model", called="lora", also=("lora", "lora_weights"),
    )  # fmt: skip
    merge_loras: bool = option(
        "Merge the LoRAs into a copy of the weights that they change while an image is "
        "generated: faster, for more memory.",
        checks.flag, False, section="Model", also=("merge",),
    )  # fmt: skip
    hypernetworks: tuple[str, ...] = option(
        "Hypernetwork, as FILE or FILE=0.8; FILE is a name in your folders of "
        "adapters, a path, owner/repo[:file] on the hub or a web address. May be given "
        "several times.",
        hypernetworks, (), section="Model", called="hypernetwork",
        also=("hypernetwork", "hypernet"),
    )  # fmt: skip
