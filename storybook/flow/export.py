"""Write the trained flow as a diffusers folder of half-precision safetensors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from imaginairy.networks.qwen3_text import Qwen3Text
from imaginairy.published import autoencoder as published_autoencoder
from imaginairy.published import configs, qwen3, zimage
from imaginairy.published.naming import Naming
from imaginairy.sources.layouts import CONFIG, WORDS
from imaginairy.weights.assemble import Part
from imaginairy.weights.stored import as_stored
from imaginairy.weights.weightfile import open_weights
from storybook import settings
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
DIFFUSERS = "diffusion_pytorch_model.safetensors"
LOOK = "look.json"


def export() -> None:
    """Write everything that drawing needs to `settings.FLOW_DATA`."""
    stage = fewer_steps if checkpoint_path(fewer_steps.NAME).exists() else train
    painter = train.load_painter(stage.NAME)
    root = settings.FLOW_DATA
    write_tensors(
        root / "transformer" / DIFFUSERS,
        zimage.NAMINGS[0],
        settings.FLOW,
        painter.painter.state_dict(),
    )
    write_json(root / "transformer" / CONFIG, transformer_settings())
    write_text(root / "text_encoder", painter.text.state_dict())
    write_autoencoder(root / "vae")
    folder = root / "tokenizer"
    shutil.copytree(vocabulary.FOLDER, folder, dirs_exist_ok=True)
    write_configs(root)
    for name in (WORDS, LOOK):
        if (settings.DATA / name).exists():
            shutil.copyfile(settings.DATA / name, root / name)
    write_origin(root, "flow-export", TRAINED)


def write_tensors(
    path: Path, naming: Naming[Any], config: Any, tensors: dict[str, Tensor]
) -> None:
    """Write tensors under their published names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    stored = as_stored(halves, naming.names(config))
    save_file(stored, path, metadata={"format": "pt"})
    path.chmod(0o644)  # the library leaves it to its owner


def transformer_settings() -> dict[str, Any]:
    """Return what `config.json` says of the transformer."""
    config = settings.FLOW
    return {
        "_class_name": "ZImageTransformer2DModel",
        "all_patch_size": [2],
        "all_f_patch_size": [1],
        "in_channels": config.in_channels,
        "dim": config.width,
        "n_layers": config.layers,
        "n_refiner_layers": config.refiners,
        "n_heads": config.heads,
        "n_kv_heads": config.heads,
        "norm_eps": 1e-5,
        "qk_norm": True,
        "cap_feat_dim": config.context_dim,
        "rope_theta": config.theta,
        "t_scale": 1000.0,
        "axes_dims": list(config.axes),
        "axes_lens": [1024, 512, 512],
        "sample_size": SIZE // settings.FLOW_AUTOENCODER.downsampling,
    }


def write_text(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Write the language model, with the layer that nothing reads to draw."""
    config = settings.FLOW_TEXT
    whole = {**tensors, "norm.weight": torch.ones(config.token_width)}
    write_tensors(folder / "model.safetensors", qwen3.TRANSFORMERS, config, whole)
    part = Part(Qwen3Text, config, open_weights(folder / "model.safetensors"), {})
    said = configs.of_qwen3(part)
    end = vocabulary.load().tokenizer.token_to_id("<|im_end|>")
    write_json(folder / CONFIG, {**said, "eos_token_id": end, "bos_token_id": None})


def write_autoencoder(folder: Path) -> None:
    """Write the autoencoder, whose latents are shifted and scaled as Flux's are."""
    config, model = autoencoder.finished_config(), autoencoder.load_autoencoder()
    path = folder / DIFFUSERS
    naming = published_autoencoder.DIFFUSERS
    write_tensors(path, naming, config, model.state_dict())
    part = Part(type(model), config, open_weights(path), naming.names(config))
    said = configs.of_autoencoder(part)
    write_json(folder / CONFIG, {**said, "sample_size": SIZE})


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
