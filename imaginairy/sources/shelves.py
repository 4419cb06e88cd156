"""Kinds of files that go beside models, and in which folders each is looked for.

One row a kind: what it is called, the variable that names folders of one's own, what
other tools call theirs, and what ours are called in the cache and the package.
"""

from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from imaginairy.sources.rows import BUNDLED_FOLDER


@dataclass(frozen=True)
class Shelf:
    """A kind of files that go beside models, and where they are kept."""

    noun: str
    """What one is called in messages."""
    variable: str
    """The variable that names folders, as many as one likes."""
    beside: tuple[str, ...]
    """What other tools call their folders, in lower case; `a/b` is one in another."""
    own: str
    """What ours are called."""
    usual: tuple[str, ...]
    """What the one file is called of what lies in a folder of its own."""
    by_folder: bool = False
    """Whether a file of such a name goes by that of its folder."""
    example: str = ""
    """What is said of names with a colon that are not known."""

    @property
    def fetched(self) -> Path:
        """Where what came from web addresses is kept."""
        return user_cache_path("imaginairy") / self.own

    @property
    def learnt(self) -> Path:
        """Where what is learnt goes unless another place is named."""
        return user_data_path("imaginairy") / self.own

    @property
    def bundled(self) -> Path:
        """Where what comes with the package lies."""
        return BUNDLED_FOLDER / self.own

    def name_of(self, path: Path) -> str:
        """Return what a file goes by."""
        if self.by_folder and path.stem.split(".")[0] in self.usual:
            return path.parent.name
        return path.stem


ADAPTERS = Shelf(
    noun="LoRA",
    variable="IMAGINAIRY_ADAPTERS",
    beside=(
        "loras", "lora", "lycoris", "embeddings", "embedding", "hypernetworks",
        "hypernetwork", "adapters",
    ),
    own="adapters",
    usual=("pytorch_lora_weights", "adapter_model", "learned_embeds"),
    example=" A weight is written NAME=0.8.",
)  # fmt: skip
"""LoRAs, their kin, and learned words."""
CONTROLS = Shelf(
    noun="control",
    variable="IMAGINAIRY_CONTROLS",
    beside=(
        "controlnet", "controlnets", "t2i_adapter", "t2iadapter", "t2i-adapter",
        "t2i_adapters", "control", "controls", "extensions/sd-webui-controlnet/models",
    ),
    own="controls",
    usual=("diffusion_pytorch_model", "model"),
    by_folder=True,
    example=" A strength is written NAME=0.8, an image behind a colon.",
)  # fmt: skip
"""ControlNets and T2I-Adapters."""
IMAGE_ADAPTERS = Shelf(
    noun="IP-Adapter",
    variable="IMAGINAIRY_IMAGE_PROMPTS",
    beside=(
        "ipadapter", "ipadapters", "ip_adapter", "ip-adapter", "ip_adapters",
        "controlnet", "extensions/sd-webui-controlnet/models",
    ),
    own="image_prompts",
    usual=("ip_adapter", "pytorch_model", "model"),
    by_folder=True,
    example=" A weight is written FILE=0.6, before the adapter.",
)  # fmt: skip
"""IP-Adapters, which read image prompts."""

OF_ROLE = {"control": CONTROLS, "image-prompt": IMAGE_ADAPTERS}
"""The shelf of each role whose models may come from any web address."""
