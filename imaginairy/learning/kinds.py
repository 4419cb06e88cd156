"""What can be learnt and how, in words and numbers; nothing here needs torch."""

from typing import Literal, get_args

Kind = Literal["lora", "locon", "loha", "lokr"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Learnt = Kind | Literal["word"]
WORD: Literal["word"] = "word"
ALL_KINDS: tuple[Learnt, ...] = (*KINDS, WORD)
LARGEST_RANK = 1024
Layers = Literal["attention", "transformers", "all"]
LAYERS: tuple[Layers, ...] = get_args(Layers)
"""Which layers of the network that draws: those that attend, all of its transformers,
or all of its blocks, those that convolve too."""
USUAL: dict[Kind, Layers] = {"locon": "all"}
"""What is usual for a kind; for others the transformers are."""
Decay = Literal["constant", "cosine"]
DECAYS: tuple[Decay, ...] = get_args(Decay)
"""How the learning rate goes on: as it is, or down to 0 along a cosine."""
Captions = Literal["auto", "files", "blip", "word"]
CAPTIONS: tuple[Captions, ...] = get_args(Captions)
"""Where captions are from: files, and BLIP where there is none; files alone; BLIP
alone; or the word by itself."""
NOTHING = "picture"
"""What a word begins as where nothing is said."""
STEPS, LONGEST = 1000, 1_000_000
"""The usual number of steps, and the most."""
RATE, WORD_RATE = 1e-4, 5e-3
"""Usual learning rates, of adapters and of words."""
