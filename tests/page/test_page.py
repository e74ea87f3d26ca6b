"""What people do on the page: draw, fill in, type, give a key; by pointer, by keyboard, on a phone, in the dark."""

import json
import math
import os
import re
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.callers import HEADERS, KEY

# Strokes in shares of the pad, in the manner of the hands that wrote the training data.
STROKES = {
    "0": [[(0.5 + 0.24 * math.sin(t), 0.5 - 0.4 * math.cos(t)) for t in (n * math.pi / 12 for n in range(25))]],
    "1": [[(0.36, 0.25), (0.55, 0.08), (0.55, 0.92)]],
    "3": [[(0.3, 0.1), (0.65, 0.12), (0.68, 0.35), (0.45, 0.47), (0.68, 0.6), (0.68, 0.85), (0.3, 0.92)]],
    "4": [[(0.55, 0.08), (0.25, 0.6), (0.8, 0.6)], [(0.58, 0.35), (0.58, 0.92)]],
    "6": [[(0.6, 0.08), (0.38, 0.3), (0.3, 0.6), (0.38, 0.88), (0.6, 0.9), (0.7, 0.7), (0.55, 0.55), (0.35, 0.62)]],
    "7": [[(0.28, 0.12), (0.7, 0.12), (0.45, 0.92)], [(0.3, 0.5), (0.7, 0.5)]],
}


def draw(page, strokes):
    page.get_by_role("button", name="Clear").click()
    pad = page.locator("canvas.pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=6 if number else 1)
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def ask(page):
    """Press the button; what was asked and answered, once the reasons are there too."""
    with page.expect_response("**/predict") as answered:
        page.get_by_role("button", name="Ask").click()
    page.wait_for_selector("#why h3")
    return json.loads(answered.value.request.post_data), answered.value.json()


def shot(page, name):
    """Kept where SLIPWAY_SCREENSHOTS names a folder."""
    if folder := os.environ.get("SLIPWAY_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_drawn_digit_is_read_and_explained(start, models, page):
    worker = start(models["digits"])
    opened = page(worker)
    right = []
    for digit, strokes in STROKES.items():
        draw(opened, strokes)
        asked, told = ask(opened)
        shown = opened.locator("#best").inner_text()
        assert httpx.post(f"{worker.url}/predict", json=asked).json()["label"] == told["label"] == shown
        assert re.search(r"^Most speaks for it at the [a-z ]+ \(\+", opened.locator("#map").get_attribute("aria-label"))
        right.append(shown == digit)
    assert sum(right) >= 5, right
    expect(opened.locator("#figures dd").nth(1)).to_contain_text("12; refused 0, failed 0", timeout=20_000)
    assert "features of the inputs have drifted" in opened.locator("#drifted").inner_text()
    assert opened.locator("#card").get_by_text("int8-dynamic").count()
    assert opened.evaluate("document.getElementById('plot').naturalWidth") == 960


def test_a_digit_is_drawn_and_asked_about_with_the_keyboard_alone(start, models, page):
    opened = page(start(models["digits"]))
    opened.wait_for_selector("canvas.pad")
    keys = opened.keyboard
    for _ in range(3):  # past the link to the model: the pad is what comes first
        keys.press("Tab")
        if opened.evaluate("document.activeElement.className") == "pad":
            break
    assert opened.evaluate("document.activeElement.matches('canvas.pad:focus-visible')")
    for _ in range(11):
        keys.press("ArrowUp")
    keys.down(" ")
    for _ in range(22):
        keys.press("ArrowDown")
    keys.up(" ")
    for _ in range(2):  # the file, then the button
        keys.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Ask"
    keys.press("Enter")
    opened.wait_for_selector("#why h3")
    assert opened.locator("#best").inner_text() == "1"
    assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_row_is_filled_in_and_its_reasons_are_named(start, models, page):
    opened = page(start(models["tumours"]), "phone", "dark")
    opened.wait_for_selector("#inputs input")
    asked, told = ask(opened)
    assert opened.locator("#best").inner_text() == told["label"]
    opened.get_by_label("measurements[20]").fill("")
    without, _ = ask(opened)
    assert asked["inputs"]["measurements"][20] is not None and without["inputs"]["measurements"][20] is None
    assert opened.locator("#why li").count() == 12


EXPLAINED = """async () => {
  const { explanation } = await import("/ui/views.js");
  const model = { inputs: [{ name: "age", shape: [null] }, { name: "income", shape: [null] }] };
  const told = { target: 0, baseline: 0, value: 1, standardError: 0, attributions: { age: 2, income: -1 } };
  document.body.append(...explanation(told, { age: 40, income: 1 }, model));
  return [...document.querySelectorAll(".bars i")].slice(-2).map((bar) => bar.getBoundingClientRect().width);
}"""


def test_bars_of_several_inputs_share_a_scale(start, models, page):
    age, income = page(start(models["tumours"])).evaluate(EXPLAINED)
    assert age == pytest.approx(2 * income, rel=0.02) and age > 20


def test_a_model_that_is_too_slow_to_explain_gets_no_picture_of_chance(start, models, page):
    opened = page(start(models["tumours"], "--explain-seconds", "0"))
    opened.wait_for_selector("#inputs input")
    ask(opened)
    assert "too slow to explain well" in opened.locator("#unsure").inner_text()
    assert opened.locator("#why li").count() == 0


def test_a_text_is_typed_and_its_words_are_weighed(start, models, page):
    opened = page(start(models["language"]))
    opened.get_by_label("text").fill("Das ist bestimmt keine gültige Adresse")
    ask(opened)
    assert opened.locator("#best").inner_text() == "German"
    assert opened.locator(".words").inner_text().split() == ["Das", "ist", "bestimmt", "keine", "gültige", "Adresse"]


def test_the_key_is_asked_for_kept_in_memory_and_gone_with_the_page(start, models, page, access_file):
    worker = start(models["digits"], SLIPWAY_ACCESS=access_file)
    opened = page(worker)
    box = opened.get_by_label("API key")
    box.fill("wrong" * 8)
    box.press("Enter")
    opened.wait_for_selector("#message.bad")
    assert "not known" in opened.locator("#message").inner_text()
    box.fill(f"authorization: Bearer {KEY}")  # as the key file has it
    box.press("Enter")
    opened.wait_for_selector("canvas.pad")
    draw(opened, STROKES["0"])
    ask(opened)
    opened.locator("#label").select_option("0")
    opened.get_by_role("button", name="Tell").click()
    expect(opened.locator("#message")).to_have_text("Counted.")
    status = httpx.get(f"{worker.url}/status", headers=HEADERS).json()
    assert status["feedback"]["outcomes"]["scored"] == 1
    kept = opened.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie, location.href, history.length]")
    assert KEY not in json.dumps(kept) and KEY not in opened.content()
    opened.reload()
    opened.wait_for_selector("#access:not([hidden])")
    assert not opened.locator("#main").is_visible()
    page.errors[:] = [error for error in page.errors if "401" not in error]  # what the browser says of each


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
@pytest.mark.parametrize("name", ["digits", "tumours", "language"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(name, size, scheme, start, models, page):
    opened = page(start(models[name]), size, scheme)
    opened.wait_for_selector("#card h3")
    if name == "digits":
        draw(opened, STROKES["3"])
    ask(opened)
    opened.wait_for_timeout(2500)  # the first figures
    found = Axe().run(opened).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(opened, f"{name}-{size}-{scheme}")


def test_nothing_but_its_own_files_can_run_and_nobody_may_frame_it(start, models, page):
    worker = start(models["digits"])
    policy = httpx.get(f"{worker.url}/ui").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    opened = page(worker)
    opened.wait_for_selector("canvas.pad")
    opened.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    assert opened.evaluate("window.ran") is None
    page.errors[:] = [error for error in page.errors if "Content Security Policy" not in error]
