"""Write the trained flow as a diffusers folder of half-precision safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from imaginairy.families.family import AUTOENCODER, DENOISER
from imaginairy.families.zimage import ZIMAGE
from imaginairy.sources.layouts import WORDS
from storybook import settings
from storybook.drawing.export import write_part
from storybook.flow import autoencoder, fewer_steps, train, vocabulary
from storybook.training.loop import checkpoint_path
from storybook.training.origin import write_origin
from storybook.training.saving import write_json
from storybook.world.canvas import SIZE

TRAINED = {
    autoencoder.NAME: settings.TRAIN_FLOW_AUTOENCODER,
    train.NAME: settings.TRAIN_FLOW,
    fewer_steps.NAME: settings.TRAIN_FLOW_STEPS,
}
"""The stages whose weights are written."""
LOOK = "look.json"


def export() -> None:
    """Write everything that drawing needs to `settings.FLOW_DATA`."""
    stage = fewer_steps if checkpoint_path(fewer_steps.NAME).exists() else train
    painter, root = train.load_painter(stage.NAME), settings.FLOW_DATA
    latents = SIZE // settings.FLOW_AUTOENCODER.downsampling
    write_part(
        ZIMAGE, root, DENOISER, painter.painter, settings.FLOW, sample_size=latents
    )
    write_part(
        ZIMAGE, root, AUTOENCODER, autoencoder.load_autoencoder(),
        autoencoder.finished_config(), sample_size=SIZE,
    )  # fmt: skip
    last = {"norm.weight": torch.ones(settings.FLOW_TEXT.token_width)}
    end = vocabulary.load().tokenizer.token_to_id(vocabulary.END)
    write_part(
        ZIMAGE, root, "text", painter.text, settings.FLOW_TEXT,
        beside=last, eos_token_id=end, bos_token_id=None,
    )  # fmt: skip
    shutil.copytree(vocabulary.FOLDER, root / "tokenizer", dirs_exist_ok=True)
    write_configs(root)
    for name in (WORDS, LOOK):
        if (settings.DATA / name).exists():
            shutil.copyfile(settings.DATA / name, root / name)
    write_origin(root, "flow-export", TRAINED)


def write_configs(root: Path) -> None:
    """Write what diffusers looks for beside the networks."""
    schedule = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": settings.FLOW_SHIFT,
        "use_dynamic_shifting": False,
    }
    write_json(root / "scheduler" / "scheduler_config.json", schedule)
    index = {
        "_class_name": "ZImagePipeline",
        "transformer": ["diffusers", "ZImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "Qwen3ForCausalLM"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    }
    write_json(root / "model_index.json", index)
