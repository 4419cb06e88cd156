"""BLIP, CLIP and the safety checker of tiny size, as transformers saves them."""

import json
from pathlib import Path

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import (
    StableDiffusionSafetyChecker,
)
from torch import nn
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

from tests.support.tiny import tiny_tokenizer
from tests.support.tiny_clipseg import text_sizes

PIECES = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *("picture", "of", "the", "red", "green", "blue", "fox", "bowl", "light", ",", "."),
)
"""The vocabulary of the tiny BLIPs, in its order."""
VOCABULARY = {piece: number for number, piece in enumerate(PIECES)}
BEGIN = len(VOCABULARY)
"""BLIP's token for the begin of a text, which is in no vocabulary."""
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
SIDE = VISION["image_size"]
SAYS = {"red": 0, "green": 1, "blue": 2}
"""What the BLIP made by hand says, and the channel that is strongest then."""


def blip_config(width: int = 32) -> BlipConfig:
    """The sizes of a tiny BLIP."""
    return BlipConfig(
        text_config={
            "vocab_size": len(VOCABULARY) + 2,
            "hidden_size": width,
            "intermediate_size": 2 * width,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "max_position_embeddings": 40,
            "bos_token_id": BEGIN,
            "pad_token_id": VOCABULARY["[PAD]"],
            "sep_token_id": VOCABULARY["[SEP]"],
            "eos_token_id": VOCABULARY["[SEP]"],
        },
        vision_config=VISION | {"hidden_size": width},
    )


def save_tiny_blip(folder: Path, seed: int = 0) -> BlipForConditionalGeneration:
    """Save and return a network of random weights, with its vocabulary."""
    torch.manual_seed(seed)
    network = BlipForConditionalGeneration(blip_config()).eval()
    with torch.no_grad():  # transformers begins so evenly that nothing is preferred
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
        network.text_decoder.cls.predictions.bias[:5] -= 20  # rather words than signs
    save_blip(network, folder)
    return network


def save_colour_teller(folder: Path) -> None:
    """Save a network whose weights are set so that it names the strongest colour.

    The caption is one of `SAYS`. The network passes on what it gets; a vector holds
    each number twice, with either sign, so that layer normalisation only scales it.
    """
    network = BlipForConditionalGeneration(blip_config(width=16)).eval()
    with torch.no_grad():
        for module in network.modules():
            for weight in module.parameters(recurse=False):
                if not isinstance(module, nn.LayerNorm):
                    weight.zero_()
        embeddings = network.vision_model.embeddings
        for channel in range(3):
            for other in range(3):
                share = 1.0 if other == channel else -0.5
                patch = embeddings.patch_embedding.weight[:, other]
                patch += share / 64 * either_sign(channel, 16)[:, None, None]
        embeddings.position_embedding += 0.1 * either_sign(3, 16)
        words = network.text_decoder.bert.embeddings
        for word, channel in SAYS.items():
            words.word_embeddings.weight[VOCABULARY[word]] = either_sign(channel, 16)
        words.word_embeddings.weight[VOCABULARY["[SEP]"]] = either_sign(4, 16)
        # The word after the beginning is chosen by the picture, the one after it ends.
        (layer,) = network.text_decoder.bert.encoder.layer
        layer.crossattention.self.value.weight.copy_(torch.eye(16))
        layer.crossattention.output.dense.weight.copy_(torch.eye(16))
        words.position_embeddings.weight[4:] += 100 * either_sign(4, 16)
        words.position_embeddings.weight[:4] += 0.01 * either_sign(3, 16)
        transform = network.text_decoder.cls.predictions.transform
        transform.dense.weight.copy_(torch.eye(16))
    save_blip(network, folder)
    settings = {"min_length": 0, "max_length": 8}
    (folder / "generation_config.json").write_text(json.dumps(settings))


def save_blip(network: BlipForConditionalGeneration, folder: Path) -> None:
    """Save a network with its vocabulary and how it sees pictures."""
    network.save_pretrained(folder)
    side = {"height": SIDE, "width": SIDE}
    BlipImageProcessorPil(size=side).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")


def clip_config() -> CLIPConfig:
    """The sizes of a tiny CLIP."""
    return CLIPConfig(
        text_config=text_sizes(width=32), vision_config=VISION, projection_dim=16
    )


def save_tiny_clip(folder: Path, seed: int = 0) -> CLIPModel:
    """Save and return a network of random weights, with its vocabulary."""
    torch.manual_seed(seed)
    network = CLIPModel(clip_config()).eval()
    network.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    clip_pictures().save_pretrained(folder)
    return network


def save_colour_matcher(folder: Path) -> None:
    """Save a CLIP whose weights are set so that `red` goes with what is red.

    `fruit` goes with green and `bowl` with blue.
    """
    width, patch = 8, VISION["patch_size"]
    sizes = {"hidden_size": width, "num_attention_heads": 1, "intermediate_size": width}
    config = CLIPConfig(
        text_config=text_sizes(width=width) | sizes,
        vision_config=VISION | sizes,
        projection_dim=4,
    )
    network = CLIPModel(config).eval()
    with torch.no_grad():
        for module in network.modules():
            if not isinstance(module, nn.LayerNorm | CLIPModel):
                for weight in module.parameters(recurse=False):
                    weight.zero_()
        for word, channel in {"red": 0, "fruit": 1, "bowl": 2}.items():
            (number,) = tiny_tokenizer()(word, add_special_tokens=False)["input_ids"]
            token = network.text_model.embeddings.token_embedding
            token.weight[number] = either_sign(channel, width)
        embeddings = network.vision_model.embeddings
        for channel in range(3):
            for other in range(3):
                share = 1.0 if other == channel else -0.5
                weight = embeddings.patch_embedding.weight[:, other]
                weight += share / patch**2 * either_sign(channel, width)[:, None, None]
        for part in (network.text_model, network.vision_model):
            for layer in part.encoder.layers:  # attends to all alike
                layer.self_attn.v_proj.weight.copy_(torch.eye(width))
                layer.self_attn.out_proj.weight.copy_(torch.eye(width))
        network.text_projection.weight.copy_(torch.eye(4, width))
        network.visual_projection.weight.copy_(torch.eye(4, width))
        network.text_model.embeddings.position_embedding.weight += 0.01 * either_sign(
            3, width
        )
        embeddings.position_embedding.weight += 0.01 * either_sign(3, width)
    network.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    clip_pictures(mean=[0.0] * 3, deviation=[1.0] * 3).save_pretrained(folder)


def clip_pictures(
    mean: list[float] | None = None, deviation: list[float] | None = None
) -> CLIPImageProcessorPil:
    """What prepares pictures for the tiny CLIPs."""
    own = {} if mean is None else {"image_mean": mean, "image_std": deviation}
    return CLIPImageProcessorPil(
        size={"shortest_edge": SIDE + 8},
        crop_size={"height": SIDE, "width": SIDE},
        **own,
    )


def save_tiny_safety_checker(
    folder: Path, *, concept: float = 1.0, special: float = 1.0
) -> StableDiffusionSafetyChecker:
    """Save and return a checker of random weights, and its thresholds, all alike.

    A threshold of 1 lets everything pass, one of -1 nothing.
    """
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(clip_config()).eval()
    with torch.no_grad():
        checker.concept_embeds.copy_(torch.randn(17, 16))
        checker.special_care_embeds.copy_(torch.randn(3, 16))
        checker.concept_embeds_weights.fill_(concept)
        checker.special_care_embeds_weights.fill_(special)
    checker.save_pretrained(folder)
    clip_pictures().save_pretrained(folder)
    return checker


def either_sign(channel: int, width: int) -> torch.Tensor:
    """Return a vector with 1 at a place of the first half and -1 in the second."""
    vector = torch.zeros(width)
    vector[channel], vector[channel + width // 2] = 1.0, -1.0
    return vector
