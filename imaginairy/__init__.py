"""imaginairy: image generation as software.

`imagine` generates images from prompts; `imagine_image_files` saves them; `mask` finds
in a picture what words describe; `describe` says what is in one, and
`find_img_text_similarity` which phrase fits it best; `upscale` makes pictures larger,
`fix_faces` restores faces, and `learn` learns adapters from pictures of one's own.
`imagine_dataset` generates within a pipeline of Ray Data. What needs torch is imported
when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imaginairy.errors import ImaginairyError
from imaginairy.version import __version__

if TYPE_CHECKING:
    from imaginairy.api import imagine, imagine_image_files
    from imaginairy.control import Control
    from imaginairy.enhancers.caption import describe
    from imaginairy.enhancers.faces import fix_faces
    from imaginairy.enhancers.mask import mask
    from imaginairy.enhancers.similarity import find_img_text_similarity
    from imaginairy.enhancers.upscale import upscale
    from imaginairy.fleet.ray_data import imagine_dataset
    from imaginairy.image_prompt import ImageReference
    from imaginairy.lazy_image import LazyLoadingImage
    from imaginairy.learning.learn import learn
    from imaginairy.learning.lesson import Lesson
    from imaginairy.lora import Lora
    from imaginairy.masks.from_text import TextMask
    from imaginairy.metadata.credentials import C2paSigner
    from imaginairy.models.store import ModelStore
    from imaginairy.observe import Observer, Step
    from imaginairy.result import ImagineResult
    from imaginairy.schema import ImaginePrompt
    from imaginairy.weighted_prompt import WeightedPrompt

__all__ = [
    "C2paSigner",
    "Control",
    "ImageReference",
    "ImaginairyError",
    "ImaginePrompt",
    "ImagineResult",
    "LazyLoadingImage",
    "Lesson",
    "Lora",
    "ModelStore",
    "Observer",
    "Step",
    "TextMask",
    "WeightedPrompt",
    "__version__",
    "describe",
    "find_img_text_similarity",
    "fix_faces",
    "imagine",
    "imagine_dataset",
    "imagine_image_files",
    "learn",
    "mask",
    "upscale",
]

_LAZY = {
    "C2paSigner": "imaginairy.metadata.credentials",
    "Control": "imaginairy.control",
    "ImageReference": "imaginairy.image_prompt",
    "ImaginePrompt": "imaginairy.schema",
    "ImagineResult": "imaginairy.result",
    "LazyLoadingImage": "imaginairy.lazy_image",
    "Lesson": "imaginairy.learning.lesson",
    "Lora": "imaginairy.lora",
    "ModelStore": "imaginairy.models.store",
    "Observer": "imaginairy.observe",
    "Step": "imaginairy.observe",
    "TextMask": "imaginairy.masks.from_text",
    "WeightedPrompt": "imaginairy.weighted_prompt",
    "fix_faces": "imaginairy.enhancers.faces",
    "describe": "imaginairy.enhancers.caption",
    "find_img_text_similarity": "imaginairy.enhancers.similarity",
    "imagine": "imaginairy.api",
    "learn": "imaginairy.learning.learn",
    "imagine_dataset": "imaginairy.fleet.ray_data",
    "imagine_image_files": "imaginairy.api",
    "mask": "imaginairy.enhancers.mask",
    "upscale": "imaginairy.enhancers.upscale",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'imaginairy' has no attribute '{name}'")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
