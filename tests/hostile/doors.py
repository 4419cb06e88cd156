"""The commands through which something comes in; `{}` is what comes."""

FEW = "--steps 1 --draw-size 64x64 --size 64x64 --seed 1"
"""What makes drawing short, should it come to that."""
DRAW = f"imagine fruit --model storybook {FEW}"

PICTURE = (
    "describe {} --caption-model storybook-blip",
    "upscale {} --model lanczos --scale 1",
    "fix-faces {}",
    "mask {} fruit",
    "hint {} canny,lines,shuffle",
    "again {} --steps 1",
    f"edit {{}} fruit --model storybook {FEW}",
    f"{DRAW} --init-image {{}}",
    f"{DRAW} --init-image good.png --mask-image {{}}",
    "gallery .",
)
RECORD = (
    "upscale {} --model lanczos --scale 1",
    "gallery .",
    "again {} --steps 1",
    "again {} --trust --steps 1 --size 64x64 --draw-size 64x64",
    "again {} --model storybook --seed 1",
)
MODEL = (
    f"imagine fruit --model {{}} {FEW}",
    f"imagine fruit --model {{}}+storybook {FEW}",
    f"{DRAW} --vae {{}}",
    f"{DRAW} --refiner {{}}",
    f"{DRAW} --embedding {{}}",
    "inspect {}",
    "convert {} made.safetensors --yes",
    "convert storybook made/ --vae {} --yes",
    "convert storybook made.safetensors --lora {} --yes",
    "extract storybook {} made.safetensors --yes",
    "models about {}",
    "describe good.png --caption-model {}",
    "upscale good.png --model {}",
    "fix-faces good.png --model {}",
    "mask good.png fruit --mask-model {}",
)
WORDS = ("imagine --prompts-file {} --model storybook " + FEW,)
