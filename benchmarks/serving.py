"""Measure `aimg serve` under load: `python -m benchmarks.serving`.

Clients ask at the same time, each for one image after the other, by OpenAI's own
client, which is told to try nothing again. Before that the same prompts are drawn by a
plain loop over `imagine` in a process of its own, one by one and as many together as
pay. Told are images a second, processor time an image, answers that were lost or are
other images than the loop's, how long they took, and how the server's resident memory
grew.
"""

import argparse
import asyncio
import base64
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from time import perf_counter, process_time

import numpy as np
from openai import AsyncOpenAI
from PIL import Image

from benchmarks.memory import FIRST, MOST, resident
from imaginairy import ImaginePrompt, ModelStore, imagine

MODEL = "storybook"
PROMPTS = ("a red heart on a white background", "photo of a dog", "a bowl of fruit")
SERVE = "from imaginairy.cli.aimg import aimg; aimg()"
KEY = "benchmark"
NEAR = 3
"""How far of 255 the pixels of an image may be from the loop's in the mean: in bf16,
images drawn in other batches are the same but for rounding."""
ENOUGH = 500
"""Images in which memory that grows is told from caches that fill."""


@dataclass
class Load:
    """What came of a load."""

    seconds: float = 0.0
    processor: float = 0.0
    """Seconds that a processor worked."""
    images: dict[int, bytes] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    """Megabytes that the server took, after each answer."""


def main() -> None:
    """Print a table as Markdown; end with 1 where an answer was lost or memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--images", type=int, default=16, help="of each client")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument(
        "--options", default="", help="of aimg serve, such as '--ray local'"
    )
    asked = parser.parse_args()
    number = asked.clients * asked.images
    with ProcessPoolExecutor(1, get_context("spawn")) as own:
        alone = own.submit(plain_loop, number, asked.steps, 1).result()
        together = own.submit(plain_loop, number, asked.steps, None).result()
    with serving(asked) as (address, process):
        served = asyncio.run(load(address, process, asked))
    print("| | images a second | processor time an image |\n|---|---|---|")
    row("`imagine`, one by one", alone, number)
    row("`imagine`, in batches", together, number)
    row(f"`aimg serve`, {asked.clients} clients", served, number)
    sys.exit(judged(served, alone, number))


def plain_loop(number: int, steps: int, batch_size: int | None) -> Load:
    """Draw what the clients ask for in a loop, with the model in memory."""
    store = ModelStore()
    prompts = [
        ImaginePrompt(prompt(each), **fields(each, steps)) for each in range(number)
    ]
    next(imagine(prompts[:1], store=store))
    drawn, began, worked = Load(), perf_counter(), process_time()
    results = imagine(prompts, store=store, batch_size=batch_size)
    for each, result in enumerate(results):
        data = io.BytesIO()
        result.img.save(data, "PNG")
        drawn.images[each] = data.getvalue()
    drawn.seconds, drawn.processor = perf_counter() - began, process_time() - worked
    return drawn


def prompt(number: int) -> str:
    """Return what one image of the load shows."""
    return PROMPTS[number % len(PROMPTS)]


def fields(number: int, steps: int) -> dict[str, object]:
    """Return what else is asked of it."""
    return {"seed": number, "steps": steps, "upscale": False, "model": MODEL}


@contextmanager
def serving(asked: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Run the server within; give its address and the number of its process."""
    command = [sys.executable, "-c", SERVE, "serve", "--port", "0", "--model", MODEL]
    command += ["--max-waiting", str(2 * asked.clients), *shlex.split(asked.options)]
    surroundings = os.environ | {"IMAGINAIRY_API_KEY": KEY}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env=surroundings, text=True
    ) as running:
        assert running.stderr
        for line in running.stderr:
            if found := re.search(r"http://[\w.]+:\d+", line):
                break
        else:
            sys.exit("The server did not start.")
        drain = Thread(target=running.stderr.read)
        drain.start()  # as a full pipe would hold up its log
        try:
            yield found[0], running.pid
        finally:
            running.send_signal(signal.SIGINT)
            running.wait()
            drain.join()


async def load(address: str, process: int, asked: argparse.Namespace) -> Load:
    """Let all clients ask, each for one image after the other."""
    served = Load()
    async with AsyncOpenAI(
        base_url=f"{address}/v1", api_key=KEY, max_retries=0, timeout=3600
    ) as client:
        patient = client.with_options(max_retries=100)
        await answered(patient, Load(), 0, asked.steps)  # once the model is loaded
        began, worked = perf_counter(), processor_seconds(process)

        async def one(first: int) -> None:
            for number in range(first, asked.clients * asked.images, asked.clients):
                await answered(client, served, number, asked.steps)
                served.sizes.append(resident(process))

        await asyncio.gather(*(one(number) for number in range(asked.clients)))
    served.seconds = perf_counter() - began
    served.processor = processor_seconds(process) - worked
    return served


async def answered(client: AsyncOpenAI, served: Load, number: int, steps: int) -> None:
    """Ask for one image and note what came of it."""
    began = perf_counter()
    extra = fields(number, steps)
    try:
        answer = await client.images.generate(
            prompt=prompt(number), model=str(extra.pop("model")), extra_body=extra
        )
    except Exception as error:
        served.failures.append(f"{number}: {error}")
        return
    served.waits.append(perf_counter() - began)
    (image,) = answer.data or []
    served.images[number] = base64.b64decode(image.b64_json or "")


def processor_seconds(process: int) -> float:
    """Return how long processors worked for a process so far, on Linux."""
    told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def row(name: str, drawn: Load, number: int) -> None:
    """Print one line of the table."""
    rate, each = number / drawn.seconds, 1000 * drawn.processor / number
    print(f"| {name} | {rate:.1f} | {each:.0f} ms |", flush=True)


def judged(served: Load, alone: Load, number: int) -> str | None:
    """Say how the server did; return what was wrong, if anything."""
    others = [
        each for each, image in served.images.items()
        if apart(image, alone.images[each]) > NEAR
    ]  # fmt: skip
    settled = np.array(served.sizes[int(FIRST * len(served.sizes)) :])
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0])
    waits = np.percentile(served.waits, (50, 95, 100)) if served.waits else [0.0] * 3
    print(
        f"\n{len(served.images)} of {number} answered, {len(others)} other images than "
        f"the loop's; waits of {waits[0]:.2f} s (median), {waits[1]:.2f} s (95 %), "
        f"{waits[2]:.2f} s (longest); memory {settled[0]:.0f} MB to {settled[-1]:.0f} "
        f"MB, {slope:.4f} MB an image."
    )
    if served.failures or len(served.images) < number:
        return f"{number - len(served.images)} were lost: {served.failures[:3]}"
    if others:
        return f"Other images than the loop's: {others[:10]}."
    grows = number >= ENOUGH and slope > MOST
    return f"An image took more than {MOST} MB." if grows else None


def apart(one: bytes, other: bytes) -> float:
    """Return how far apart two images are in the mean, from 0 to 255."""
    with Image.open(io.BytesIO(one)) as a, Image.open(io.BytesIO(other)) as b:
        if a.size != b.size:
            return 255
        seen = np.asarray(a.convert("RGB"), int) - np.asarray(b.convert("RGB"), int)
    return float(np.abs(seen).mean())


if __name__ == "__main__":
    main()
