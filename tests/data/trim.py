"""Make the files beside this one from the full reference: python trim.py FOLDER.

FOLDER holds what imaginAIry 2.0.0, of which the networks equal CompVis' latent
diffusion bit for bit, gave on a CPU in float32 with weights drawn by the rule of
`tests.support.golden.drawn`:

- networks.npz: UNet, autoencoder and text transformer at reduced size, from
  models_manifest.json and unet_reduced, unet_inpaint9, vae_reduced, clip_text_reduced
  and timestep_embedding.npz. Left out is what no test needs: shapes, one tiled
  picture, the text transformer's last but one layer.
- pipeline.npz: pictures drawn with a reduced model, from mini_pipeline.npz. Left out
  are masked runs (ours mixes differently, on purpose), k_dpm_2 and k_dpm_2_a (their
  middle step is chosen otherwise since), and what is there twice.
- tensors.json.gz: {kind of checkpoint: {tensor: shape}}, of those reduced models and of
  the published Stable Diffusion 1.5, from checkpoints.json.gz.
- lightning_tiny.ckpt: a few tensors in the pickle of an old Lightning checkpoint, with
  all the foreign names that the published ones mention, from pl_wrapper_tiny.json.
"""

import base64
import gzip
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
OLD_ATTENTION = {
    "to_q": "query",
    "to_k": "key",
    "to_v": "value",
    "to_out.0": "proj_attn",
}


def networks(folder: Path) -> dict[str, np.ndarray]:
    """Gather {network.golden: array}."""
    arrays: dict[str, np.ndarray] = {}
    for network, file in (
        ("unet", "unet_reduced"),
        ("inpainting", "unet_inpaint9"),
        ("autoencoder", "vae_reduced"),
        ("text", "clip_text_reduced"),
        ("time", "timestep_embedding"),
    ):
        full = np.load(folder / f"{file}.npz")
        for name in full.files:
            if not name.startswith(("tap.", "penultimate", "decoded_tiled.rect")):
                arrays[f"{network}.{name}"] = full[name]
        if network == "unet":
            taps = [full[name] for name in full.files if name.endswith(".mean_std")]
            arrays["unet.taps"] = np.stack(taps)
    return arrays


def pipeline(folder: Path) -> dict[str, np.ndarray]:
    """Gather the runs by shorter names."""
    full = np.load(folder / "mini_pipeline.npz")
    arrays = {name: full[name] for name in ("cond", "uncond")}
    for name in full.files:
        kind, _, rest = name.partition(".")
        sampler, field = rest.partition(".")[0], name.rpartition(".")[2]
        if kind not in ("txt2img", "img2img", "tile"):
            continue
        if ".masked." in name or sampler.startswith("k_dpm_2"):
            continue
        if field in ("init_image", "initial_noise", "init_latent", "encode_noise"):
            arrays[field] = full[name]  # the same in every run
        elif kind == "tile" and field != "run":
            arrays[f"tile.{field}"] = full[name]
        elif field in ("latent", "image_uint8", "z_enc", "t_enc"):
            arrays[f"{kind}.{sampler}.{field}"] = full[name]
    return arrays


def tensors(folder: Path) -> dict[str, dict[str, list[int]]]:
    """Gather {kind of checkpoint: {tensor: shape}}."""
    reduced = json.loads((folder / "models_manifest.json").read_text())["shapes"]
    mini = json.loads((folder / "mini_checkpoint_manifest.json").read_text())["shapes"]
    salt = "inpaint9/"
    published = json.loads(
        gzip.decompress((folder / "checkpoints.json.gz").read_bytes())
    )
    single = shapes(published["compvis_sd_v1_single_file"]["tensors"])
    single |= {"model_ema.decay": [], "model_ema.num_updates": []}
    folder_15 = published["diffusers_sd15"]
    return {
        "reduced": {k: v for k, v in reduced.items() if not k.startswith(salt)},
        "reduced inpainting": {
            k.removeprefix(salt): v for k, v in reduced.items() if k.startswith(salt)
        },
        "mini": mini,
        "single file": single,
        "single file inpainting": single
        | shapes(published["compvis_sd_v1_inpainting_delta"]),
        "unet": shapes(folder_15["unet"]["tensors"]),
        "vae": {
            old_name(k): v
            for k, v in shapes(folder_15["vae"]["tensors_new_names"]).items()
        },
        "text_encoder": shapes(folder_15["text_encoder"]["tensors"]),
    }


def shapes(listed: dict[str, list]) -> dict[str, list[int]]:
    """Take the shapes out of {tensor: [shape, dtype]}."""
    return {name: shape for name, (shape, _) in listed.items()}


def old_name(name: str) -> str:
    """Name an autoencoder's tensor as it was published."""
    if ".attentions." in name:
        for new, old in OLD_ATTENTION.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name


def main(folder: Path) -> None:
    """Write all files."""
    np.savez_compressed(HERE / "networks.npz", **networks(folder))
    np.savez_compressed(HERE / "pipeline.npz", **pipeline(folder))
    text = json.dumps(tensors(folder), separators=(",", ":"))
    packed = gzip.compress(text.encode(), mtime=0)
    (HERE / "tensors.json.gz").write_bytes(packed)
    tiny = json.loads((folder / "pl_wrapper_tiny.json").read_text())
    checkpoint = base64.b64decode(tiny["checkpoint_base64"])
    (HERE / "lightning_tiny.ckpt").write_bytes(checkpoint)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
