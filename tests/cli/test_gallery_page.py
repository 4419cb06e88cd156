"""The gallery's page in a real browser."""

import io
import re
import shlex
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from imaginairy import ImaginePrompt
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.options import given as fields_given
from imaginairy.gallery import write_gallery
from tests.support.galleries import EVIL, save, save_all_kinds
from tests.support.patience import HANG_GUARD_S

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of the system."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        pytest.fail("There is no Chromium; install Debian's package: chromium.")
    with sync_playwright() as playwright:
        expect.set_options(timeout=HANG_GUARD_S * 1000)
        browser = playwright.chromium.launch(
            executable_path=path, args=FLAGS, timeout=HANG_GUARD_S * 1000
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few pictures of every kind, and their page."""
    return save_all_kinds(tmp_path_factory.mktemp("gallery"))


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page of the folder; it must say nothing wrong and ask nothing of the web."""
    yield from opened(browser, folder)


def opened(browser: Browser, folder: Path, **options: Any) -> Iterator[Page]:
    context = browser.new_context(
        permissions=["clipboard-read", "clipboard-write"], **options
    )
    context.set_default_timeout(HANG_GUARD_S * 1000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type == "error" else None,
    )
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "index.html").as_uri())
    yield page
    assert wrong == []
    assert all(url.startswith(("file://", "data:")) for url in asked), asked
    context.close()


def has_come(picture: Locator) -> None:
    """Wait for a picture; the page's own policy forbids conditions in JavaScript."""
    expect(picture).not_to_have_js_property("naturalWidth", 0)


def card(page: Page, text: str) -> Any:
    return page.locator(".card").filter(has_text=text)


def test_all_pictures_are_there(page: Page) -> None:
    expect(page.locator("#count")).to_have_text("7 pictures")
    expect(page.locator("h1")).to_have_text("a & <b>")
    expect(page.locator(".card")).to_have_count(7)
    for picture in page.locator(".card img").all():
        has_come(picture)


def test_searching(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("FOX red")
    expect(page.locator("#count")).to_have_text("2 of 7")
    page.locator("#search").fill("fruit")
    expect(page.locator("#count")).to_have_text("1 of 7")
    page.locator("#search").fill("night")  # in a negative prompt
    expect(page.locator("#count")).to_have_text("2 of 7")
    page.locator("#search").fill("zebra")
    expect(page.locator("#none")).to_have_text("No picture matches.")
    page.keyboard.press("Escape")
    expect(page.locator("#count")).to_have_text("7 pictures")
    expect(page.locator("#search")).not_to_be_focused()


def test_filtering(page: Page) -> None:
    page.select_option("#model", "storybook")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card .said")).to_have_text("a bowl of fruit")
    page.select_option("#sampler", "k_euler")
    expect(page.locator("#count")).to_have_text("0 of 7")
    page.select_option("#model", "")
    expect(page.locator("#count")).to_have_text("2 of 7")
    offered = page.locator("#sampler option").all_text_contents()
    assert offered == ["All samplers", "ddim", "k_euler", "plms"]


def test_order(page: Page) -> None:
    said = page.locator(".card .said")
    newest = said.all_text_contents()
    page.select_option("#order", "old")
    assert said.all_text_contents() == newest[::-1]


def test_looking_at_one(page: Page, folder: Path) -> None:
    card(page, "0.5*(a fox)").click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(page.locator("#prompt")).to_have_text("0.5*(a fox)|0.5*(a bowl)")
    facts = page.locator("#facts").inner_text()
    for words in ("steps\n12", "sampler type\nplms", "model sha256\nababab"):
        assert words in facts
    assert page.locator("#after").get_attribute("src") == "./000003_plms.jpg"
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text("Copied")
    command = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    params = imagine_cmd.make_context("imagine", command[1:]).params
    drawn = ImaginePrompt(params["prompts"][0], **fields_given(params))
    assert drawn == ImaginePrompt.from_file(folder / "000003_plms.jpg")
    page.locator("#close").click()
    expect(viewer).not_to_be_visible()


def test_keys(page: Page) -> None:
    cards = page.locator(".card")
    cards.nth(0).focus()
    page.keyboard.press("ArrowRight")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    columns = page.evaluate(
        "getComputedStyle(grid).gridTemplateColumns.split(' ').length"
    )
    expect(cards.nth(columns)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    shown = page.locator("#after")
    first, second = (cards.nth(n).get_attribute("href") for n in (0, 1))
    expect(shown).to_have_attribute("src", str(first))
    expect(page.locator("#previous")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("src", str(second))
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#next")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    expect(cards.nth(5)).to_be_focused()


def test_before_and_after(page: Page, tmp_path: Path) -> None:
    card(page, "painted over").click()
    buttons = page.locator("#views button").all_text_contents()
    assert buttons == ["picture", "modified original", "before | after"]
    page.get_by_role("button", name="before | after").click()
    has_come(page.locator("#before"))
    has_come(page.locator("#after"))
    assert colours_along(page) == ["before", "after"]
    split = page.locator("#split")
    split.fill("90")
    assert colours_along(page) == ["before", "before"]
    split.focus()
    for _ in range(85):
        page.keyboard.press("ArrowLeft")
    assert colours_along(page) == ["after", "after"]
    expect(page.locator("#prompt")).to_have_text("painted over")
    page.get_by_role("button", name="modified original").click()
    expect(split).not_to_be_visible()
    assert colours_along(page) == ["after", "after"]


def colours_along(page: Page) -> list[str]:
    """Return what is seen in the left and the right half of the frame."""
    box = page.locator("#frame").bounding_box()
    assert box is not None
    assert box["width"] / box["height"] == pytest.approx(320 / 240, rel=0.01)
    data = page.locator("#frame").screenshot(type="png")
    image = Image.open(io.BytesIO(data)).convert("RGB")
    seen = []
    for share in (0.25, 0.75):
        pixel = image.getpixel((round(image.width * share), image.height // 4))
        distance = [
            np.abs(np.subtract(pixel, colour)).max()
            for colour in ((0, 128, 128), (200, 0, 0))
        ]
        assert min(distance) < 10, pixel
        seen.append(("before", "after")[int(np.argmin(distance))])
    return seen


def test_what_pictures_say_is_never_run(page: Page) -> None:
    assert page.title() == "a & <b>"
    assert page.locator("[onerror], .card b, .card i, main script").count() == 0
    evil = card(page, "document.title")
    expect(evil.locator(".said")).to_have_text(EVIL)
    evil.click()
    expect(page.locator("#prompt")).to_have_text(EVIL)
    assert page.locator("aside b, aside script, aside img").count() == 0
    page.keyboard.press("Escape")
    hostile = page.locator('.card[href^="./javascript"]')
    assert page.evaluate("e => e.protocol", hostile.element_handle()) == "file:"
    hostile.click()
    has_come(page.locator("#after"))


def test_the_page_runs_and_fetches_nothing_else(browser: Browser, folder: Path) -> None:
    reached: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    page = browser.new_page()
    page.set_default_timeout(HANG_GUARD_S * 1000)
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        page.goto(f"{address}/reachable")
        page.goto((folder / "index.html").as_uri())
        page.evaluate(
            """address => {
                const refused = new Set();
                document.addEventListener("securitypolicyviolation", (violation) => {
                    refused.add(violation.effectiveDirective);
                    document.body.dataset.refused = [...refused].sort().join(" ");
                });
                const script = document.createElement("script");
                script.textContent = "window.hacked = true";
                const image = document.createElement("img");
                image.src = `${address}/spy.png`;
                image.setAttribute("onerror", "window.hacked = true");
                const base = document.createElement("base");
                base.href = address;
                document.head.append(base);
                document.body.append(script, image);
                return fetch(`${address}/fetched`).catch(() => null);
            }""",
            address,
        )
        refused = "base-uri connect-src img-src script-src-attr script-src-elem"
        expect(page.locator("body")).to_have_attribute("data-refused", refused)
        server.shutdown()
    assert page.evaluate("window.hacked") is None
    assert {path for path in reached if "favicon" not in path} == {"/reachable"}
    page.close()


def test_a_phone(browser: Browser, folder: Path) -> None:
    phone = {
        "viewport": {"width": 360, "height": 740},
        "is_mobile": True,
        "has_touch": True,
    }
    for page in opened(browser, folder, **phone):
        expect(page.locator(".card")).to_have_count(7)
        assert page.evaluate("document.scrollingElement.scrollWidth") == 360
        columns = page.evaluate("getComputedStyle(grid).gridTemplateColumns")
        assert len(columns.split(" ")) == 2
        card(page, "painted over").tap()
        expect(page.locator("#prompt")).to_be_in_viewport()
        assert page.evaluate("viewer.scrollWidth") == 360
        page.locator("#next").tap()
        expect(page.locator("#prompt")).not_to_have_text("painted over")
        page.go_back()
        expect(page.locator("#viewer")).not_to_be_visible()
        expect(page.locator("#grid")).to_be_visible()


def test_an_address_of_a_picture_opens_it(browser: Browser, folder: Path) -> None:
    for page in opened(browser, folder):
        card(page, "a bowl of fruit").click()
        address = page.url
        assert address.endswith("#000002_ddim.jpg")
        other = page.context.new_page()
        other.goto(address)
        expect(other.locator("#prompt")).to_have_text("a bowl of fruit")


def test_a_thousand_pictures_come_as_one_scrolls(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("many")
    written = save(folder, 1000, "picture number 1000 of many", size=(16, 16))
    said = written.read_bytes()
    assert said.count(b"number 1000") > 0
    for number in range(1001, 2100):
        other = said.replace(b"number 1000", b"number %d" % number)
        (folder / f"{number:06d}.jpg").write_bytes(other)
    _, count = write_gallery(folder)
    assert count == 1100
    for page in opened(browser, folder):
        expect(page.locator("#count")).to_have_text("1,100 pictures")
        cards = page.locator(".card")
        at_first = cards.count()
        assert at_first < 500, "the page begins with what can be seen"
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(cards.nth(at_first)).to_be_attached()
        page.locator("#search").fill("number 1321 of")
        expect(page.locator("#count")).to_have_text("1 of 1,100")
        expect(page.locator(".card .said")).to_have_text(re.compile("number 1321"))
        page.locator("#search").fill("")
        page.locator(".card").first.click()
        for _ in range(at_first + 5):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        expect(cards.nth(at_first + 5)).to_be_focused()
