"""Pictures that say of themselves what they should not be believed."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.hostile.parts import UNDEFINED, riff, tiff
from tests.hostile.pictures import extended
from tests.support.hostile import chunk, png, saved

SAID: dict[str, Any] = {
    "prompt": "fruit", "seed": 7, "steps": 1, "width": 64, "height": 64,
    "draw_size": "64x64", "model": "storybook", "sampler_type": "ddim",
}  # fmt: skip
EVIL = "a\x1b]0;owned\x07\x1b[31m\x9b2J\x08\r\u202egnp\u2066\n\0"
HUGE = 10**400


def commented(comment: str | bytes) -> bytes:
    """Return a png with such a comment in its EXIF."""
    data = comment.encode() if isinstance(comment, str) else comment
    data = b"ASCII\0\0\0" + data
    inner = tiff([(37510, UNDEFINED, len(data), 44)])
    exif = tiff([(34665, 4, 1, 26)], behind=inner[8:] + data)
    return png(64, 64, chunk(b"eXIf", exif))


def saying(**said: Any) -> bytes:
    """Return a png that says these fields of itself."""
    return commented(json.dumps({**SAID, **said}))


def raw(field: str, value: str) -> bytes:
    """Return a png whose record has any text for a value."""
    return commented(json.dumps(SAID)[:-1] + f', "{field}": {value}}}')


def parameters(text: str) -> bytes:
    """Return a png as other tools write it."""
    data = b"parameters\0\0\0\0\0" + text.encode("utf-8", errors="surrogatepass")
    return png(64, 64, chunk(b"iTXt", data))


def _fields() -> Mapping[str, Any]:
    nested: Any = "a"
    for _ in range(900):
        nested = [nested]
    return {
        "seed": HUGE, "steps": HUGE, "width": 2**40, "height": -8, "draw_size": "9x9999999",
        "prompt": "x" * 900_000, "negative_prompt": EVIL, "model": EVIL, "vae": EVIL,
        "sampler_type": EVIL, "schedule": {"a": 1}, "prompt_strength": HUGE,
        "init_image": "/etc/passwd", "mask_image": "\\\\host\\share\\a.png",
        "refiner": "owner/repo@0.5", "upscaler": "/dev/zero", "caption_model": "../../x",
        "caption_text": "{seed.__class__.__mro__}" + EVIL, "enhance": ["os.system=id"],
        "mask_prompt": "(" * 900, "outpaint": "all999999999", "best_of": HUGE,
        "arg_schedule": "seed[1:1e18:1]", "clip_skip": -HUGE, "eta": "NaN",
        "guidance_interval": "0:1e999", "apg": "x" * 9999, "tile_mode": ["x"] * 99_999,
        "variation_seed": HUGE, "prediction": "\ud800", "upscale": "yes", "fix_faces": 7,
        "afterwards": [{"done": EVIL, "model": EVIL, "scale": HUGE}] * 999,
        "applied": {"upscale": {"scale": HUGE}}, "created": EVIL, "image_type": nested,
        "conditioning": [[1e308]], "device": EVIL, "precision": EVIL, "prompt_text": nested,
        "original_size": "9" * 5000, "crop": "-1,-1", "dynamic_threshold": "nan:inf",
        "similarity_model": "http://127.0.0.1/x", "mask_mode": None, "repeats": 10**9,
        "embeddings": ["/dev/zero", EVIL] * 99, "embedding_sha256": {EVIL: nested},
        "__class__": "os.system", "": "", EVIL: EVIL,
    }  # fmt: skip


METADATA: dict[str, Callable[[], bytes]] = {
    **{
        f"field-{name if name.isprintable() and name else 'evil'}.png": (
            lambda name=name, value=value: saying(**{name: value})  # type: ignore[misc]
        )
        for name, value in _fields().items()
    },
    "address.png": lambda: saying(init_image="http://169.254.169.254/latest"),
    "loopback.png": lambda: saying(init_image="http://127.0.0.1:9/a.png"),
    "file.png": lambda: saying(init_image="file:///etc/passwd"),
    "device.png": lambda: saying(init_image="/dev/zero", mask_prompt="x"),
    "itself.png": lambda: saying(init_image="itself.png"),
    "hub.png": lambda: saying(model="owner/repo", vae="owner/repo"),
    "weights.png": lambda: saying(model="good.png"),
    "large.png": lambda: saying(width=16_384, height=16_384, draw_size=None),
    "drawn.png": lambda: saying(draw_size="16384x16384", width=16_384, height=16_384),
    "lasting.png": lambda: saying(steps=10**9),
    "many.png": lambda: saying(best_of=10**6),
    "swept.png": lambda: saying(arg_schedule=["seed[1:1000000000:1]"]),
    "beyond.png": lambda: saying(init_image="good.png", outpaint="all60000"),
    "nan.png": lambda: raw("prompt_strength", "NaN"),
    "infinity.png": lambda: raw("eta", "-Infinity"),
    "digits.png": lambda: raw("seed", "9" * 5000),
    "nested.png": lambda: raw("prompt", "[" * 100_000 + "]" * 100_000),
    "objects.png": lambda: raw("applied", '{"a":' * 50_000 + "1" + "}" * 50_000),
    "cut.png": lambda: commented('{"prompt": "a fo'),
    "twice.png": lambda: raw("prompt", '"b", "prompt": "c", "model": "/dev/zero"'),
    "list.png": lambda: commented("[" * 100_000),
    "keys.png": lambda: commented(json.dumps({f"k{n}": n for n in range(40_000)})),
    "weighted.png": lambda: saying(prompt=[{"text": "a", "weight": 1e308}] * 9999),
    "weights-nan.png": lambda: raw("prompt", '[{"text": "a", "weight": NaN}]'),
    "emphasis.png": lambda: saying(prompt="(" * 5000 + "a" + ":1.1)" * 5000),
    "markup.png": lambda: saying(prompt="</script><script>alert(1)</script>\u2028"),
    "ten-mb.webp": lambda: extended(
        8, 8, saved("WEBP")[12:],
        riff(b"EXIF", tiff([(37510, UNDEFINED, 10**7, 26)], behind=b"a" * 10**7)), flags=8,
    ),
    "ten-mb.png": lambda: commented(b"x" * 10**7),
    "binary.png": lambda: commented(bytes(range(256)) * 999),
    "marks.png": lambda: commented(b"\xff\xfe" + b"\0\xd8" * 9999),
    "a1111.png": lambda: parameters(f"fruit {EVIL}\nSteps: 1, Sampler: {EVIL}, Seed: 1"),
    "a1111-digits.png": lambda: parameters(f"a\nSteps: {'9' * 5000}, Seed: 1, CFG scale: 7"),
    "a1111-size.png": lambda: parameters("a\nSteps: 1, Seed: 1, Size: 99999999x8, Eta: nan"),
    "a1111-settings.png": lambda: parameters("a\nSteps: 1, Seed: 1, " + "a: {" * 50_000),
    "a1111-quotes.png": lambda: parameters('a\nSteps: 1, Seed: 1, x: "' + '\\"' * 200_000),
    "a1111-commas.png": lambda: parameters("a\nSteps: 1, Seed: 1, b: c" + "," * 900_000),
    "a1111-lines.png": lambda: parameters("Steps: 1\n" * 90_000),
    "a1111-brackets.png": lambda: parameters("(" * 300_000 + "\nSteps: 1, Seed: 1, a: b"),
    "a1111-paired.png": lambda: parameters("([" * 100_000 + "])" * 100_000
                                           + "\nSteps: 1, Seed: 1, a: b"),
    "a1111-post.png": lambda: parameters("a\nSteps: 1, Seed: 1, Postprocess: "
                                         + "[" * 100_000),
    "a1111-names.png": lambda: parameters("a\nSteps: 1, Seed: 1, " + "a " * 400_000),
    "a1111-model.png": lambda: parameters("a\nSteps: 1, Seed: 1, Model: ../../etc/passwd, "
                                          "VAE: /dev/zero, Refiner: http://a [ab]"),
    "comfy.png": lambda: png(64, 64, chunk(b"tEXt", b"workflow\0" + b'{"a":' * 90_000)),
    "novel.png": lambda: png(64, 64, chunk(b"tEXt", b"Comment\0{\"prompt\": []}")),
    "surrogate.png": lambda: raw("prompt", '"\\ud800"'),
    "nul.png": lambda: raw("prompt", '"a\\u0000b"'),
}  # fmt: skip
