"""imaginairy: image generation as software.

`imagine` draws pictures from prompts; `imagine_image_files` saves them; `mask` finds
in a picture what words describe. What needs torch is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imaginairy.errors import ImaginairyError
from imaginairy.lazy_image import LazyLoadingImage
from imaginairy.schema import ImaginePrompt
from imaginairy.version import __version__
from imaginairy.weighted_prompt import WeightedPrompt

if TYPE_CHECKING:
    from imaginairy.api import imagine, imagine_image_files
    from imaginairy.enhancers.text_mask import TextMask, mask
    from imaginairy.models.store import ModelStore
    from imaginairy.observe import Observer, Step
    from imaginairy.result import ImagineResult

__all__ = [
    "ImaginairyError",
    "ImaginePrompt",
    "ImagineResult",
    "LazyLoadingImage",
    "ModelStore",
    "Observer",
    "Step",
    "TextMask",
    "WeightedPrompt",
    "__version__",
    "imagine",
    "imagine_image_files",
    "mask",
]

_LAZY = {
    "ImagineResult": "imaginairy.result",
    "ModelStore": "imaginairy.models.store",
    "Observer": "imaginairy.observe",
    "Step": "imaginairy.observe",
    "TextMask": "imaginairy.enhancers.text_mask",
    "imagine": "imaginairy.api",
    "imagine_image_files": "imaginairy.api",
    "mask": "imaginairy.enhancers.text_mask",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'imaginairy' has no attribute '{name}'")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
