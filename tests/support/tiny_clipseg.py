"""CLIPSeg of tiny size, as transformers saves it: one at random, one made by hand."""

from pathlib import Path

import torch
from torch import nn
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPSegProcessor,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from tests.support.tiny import tiny_tokenizer

SIDE = 64
PATCH = 4
WIDTH = 8
FINDS = {"red": 0, "fruit": 1, "bowl": 2}
"""The words that the network made by hand knows, and the colour channel they stand
for: `fruit` finds what is green, `bowl` what is blue."""
LEAST_COLOUR = 0.5
"""By how much a channel must stand out, where pictures go from -1 to 1."""


def save_tiny_clipseg(
    folder: Path, *, refined: bool = True
) -> CLIPSegForImageSegmentation:
    """Save and return a network of random weights, with its vocabulary."""
    torch.manual_seed(0)
    config = CLIPSegConfig(
        text_config=text_sizes(width=32),
        vision_config={
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": 32,
            "patch_size": 16,
        },
        projection_dim=32,
        extract_layers=[1, 2, 3],
        reduce_dim=16,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=64,
        use_complex_transposed_convolution=refined,
    )
    network = CLIPSegForImageSegmentation(config).eval()
    network.save_pretrained(folder)
    published = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    tiny_processor(*published).save_pretrained(folder)
    return network


def save_colour_finder(folder: Path) -> None:
    """Save a network whose weights are set so that it finds three colours.

    All of its layers pass on what they get, but for one that gathers the words of a
    text at its end. A vector holds each number twice, with either sign, so that layer
    normalisation only scales it.
    """
    config = CLIPSegConfig(
        text_config=text_sizes(width=WIDTH),
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        projection_dim=4,
        extract_layers=[0],
        reduce_dim=WIDTH,
        decoder_num_attention_heads=1,
        decoder_intermediate_size=WIDTH,
    )
    network = CLIPSegForImageSegmentation(config).eval()
    with torch.no_grad():
        for module in network.modules():
            if not isinstance(module, nn.LayerNorm):
                for weight in module.parameters(recurse=False):
                    weight.zero_()
        set_text(network)
        set_vision(network)
    network.save_pretrained(folder)
    tiny_processor([0.5] * 3, [0.5] * 3).save_pretrained(folder)


def set_text(network: CLIPSegForImageSegmentation) -> None:
    """Let a text's end say which of the known words stand before it."""
    text = network.clip.text_model
    for word, channel in FINDS.items():
        (number,) = tiny_tokenizer()(word, add_special_tokens=False)["input_ids"]
        text.embeddings.token_embedding.weight[number] = either_sign(channel)
    for layer in text.encoder.layers:  # attends to all alike
        layer.self_attn.v_proj.weight.copy_(torch.eye(WIDTH))
        layer.self_attn.out_proj.weight.copy_(torch.eye(WIDTH))
    network.clip.text_projection.weight.copy_(torch.eye(4, WIDTH))


def set_vision(network: CLIPSegForImageSegmentation) -> None:
    """Let a channel that stands out be light where a text asks for it."""
    embeddings = network.clip.vision_model.embeddings
    for channel in range(3):
        for other in range(3):
            share = 1.0 if other == channel else -0.5
            patch = embeddings.patch_embedding.weight[:, other]
            patch += share / PATCH**2 * either_sign(channel)[:, None, None]
    embeddings.position_embedding.weight += either_sign(3)
    decoder = network.decoder
    reduce = torch.eye(WIDTH)
    for channel in range(3):
        reduce[:, 3] -= LEAST_COLOUR * either_sign(channel)
    decoder.reduces[0].weight.copy_(reduce)
    decoder.film_mul.weight.copy_(torch.eye(4).repeat(2, 1))
    decoder.transposed_convolution.weight += 4 * sum(
        either_sign(channel)[:, None, None, None] for channel in range(3)
    )
    decoder.transposed_convolution.bias -= 4


def either_sign(channel: int) -> torch.Tensor:
    """Return a vector with 1 at a place of the first half and -1 in the second."""
    vector = torch.zeros(WIDTH)
    vector[channel], vector[channel + WIDTH // 2] = 1.0, -1.0
    return vector


def text_sizes(*, width: int) -> dict[str, int]:
    """Return the sizes of a text encoder for the tiny vocabulary."""
    tokenizer = tiny_tokenizer()
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "max_position_embeddings": 24,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def tiny_processor(mean: list[float], deviation: list[float]) -> CLIPSegProcessor:
    """Return what prepares pictures and texts for these networks."""
    pictures = ViTImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, image_mean=mean, image_std=deviation
    )
    return CLIPSegProcessor(pictures, tiny_tokenizer())
