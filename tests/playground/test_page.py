"""The playground's page in a real Chromium: controls, own data, links, tabs, lost connections."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from browsing import (
    chromium,
    decoded,
    encoded,
    held,
    pixels,
    ready,
    state,
    step,
    tab,
    train,
    wait_for,
)

for module in ("starlette", "uvicorn", "websockets", "playwright"):
    pytest.importorskip(module, reason="needs the extra 'playground', and Playwright")

from serving import serving  # noqa: E402

PAGE = Path(__file__).parents[2] / "demos" / "playground" / "page"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def playground(browser: Any) -> Iterator[Any]:
    with serving() as playground:
        yield playground


@pytest.fixture
def page(browser: Any, playground: Any) -> Iterator[Any]:
    with tab(browser, playground.url) as page:
        yield page


REFUSED = "status of 400"
"""What the browser itself says on the console of a file that the server refuses."""


def test_training_is_played_paused_stepped_and_begun_anew(page: Any) -> None:
    page.keyboard.press("Space")
    page.wait_for_function("() => +document.body.dataset.step >= 20")
    assert page.text_content("#play .word") == "Pause"
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('#play').ariaPressed === 'false'")
    page.click("#back")
    wait_for(lambda: step(page) == 0)
    page.click("#step")
    wait_for(lambda: step(page) == 1)
    page.keyboard.press("s")
    wait_for(lambda: step(page) == 2)
    page.fill("#training-batch_size", "50")
    page.press("#training-batch_size", "Enter")
    wait_for(lambda: state(page)["training"]["batch_size"] == 50 and step(page) == 0)
    page.click("#epoch")
    wait_for(lambda: step(page) == 4)  # 200 of 400 points are trained on
    page.select_option("#speed", "10")
    wait_for(lambda: held(page)["view"]["speed"] == 10)
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 6")
    assert "step" in page.text_content("#summary").lower()


def test_every_field_has_a_control_that_sets_it(page: Any) -> None:
    limits = page.evaluate("async () => (await import('/page/main.js')).limits()")
    own = {"data.drawn", "data.table", "data.columns", "data.label", "network.layers"}
    kinds = {
        name: kind for kind, names in limits["used"].items() if kind != "table" for name in names
    }
    for part, fields in limits["fields"].items():
        for name, field in fields.items():
            if f"{part}.{name}" in own or name == "kind":
                continue
            if part == "data" and name in kinds:
                page.select_option("#data-kind", kinds[name])
                wait_for(lambda name=name: state(page)["data"]["kind"] == kinds[name])
            wanted = another_value(field)
            set_control(page, f"#{part}-{name}", field, wanted)
            wait_for(lambda p=part, n=name, w=wanted: state(page)[p][n] == w)
            assert page.locator(f"#{part}-{name}-error").is_hidden()
    for kind in limits["fields"]["data"]["kind"]["choices"]:
        if kind not in ("drawn", "table", "digits"):
            page.select_option("#data-kind", kind)
            wait_for(lambda kind=kind: state(page)["data"]["kind"] == kind)


def another_value(field: Any) -> Any:
    """A value of the field that is not its default."""
    if field["kind"] == "choice":
        return next(each for each in field["choices"] if each != field["default"])
    if field["kind"] == "flag":
        return not field["default"]
    if field["kind"] == "text":
        return "x > 0"
    if field["kind"] == "whole":
        return (field["default"] or field["low"] + 1) + 2
    return field["low"] + (field["high"] - field["low"]) / 4


def set_control(page: Any, control: str, field: Any, value: Any) -> None:
    if field["kind"] == "choice":
        page.select_option(control, value)
    elif field["kind"] == "flag":
        page.set_checked(control, value)
    else:
        page.fill(control, str(value))
        page.press(control, "Enter")


def test_sliders_layers_and_neurons_change_the_network(page: Any) -> None:
    page.locator("#training-learning_rate-slider").focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: state(page)["training"]["learning_rate"] == 0.02)
    page.click("#more-layers")
    wait_for(lambda: state(page)["network"]["layers"] == [8, 8, 8])
    page.get_by_label("One neuron more in hidden layer 1").click()
    wait_for(lambda: state(page)["network"]["layers"] == [9, 8, 8])
    page.get_by_label("One neuron less in hidden layer 3").click()
    wait_for(lambda: state(page)["network"]["layers"] == [9, 8, 7])
    assert page.locator("#neurons button").count() == 2 + 9 + 8 + 7 + 1
    for left in (2, 1, 0):
        page.click("#fewer-layers")
        wait_for(lambda left=left: len(state(page)["network"]["layers"]) == left)
    assert page.is_disabled("#fewer-layers")


def test_regions_mistakes_test_points_and_pruning_change_the_picture(page: Any) -> None:
    for box in ("#show-regions", "#show-wrong", "#show-test"):
        before = pixels(page)
        page.click(box)
        wait_for(lambda before=before: pixels(page) != before)
    assert not any(held(page)["view"][name] for name in ("regions", "wrong", "test"))
    train(page, 100)
    correct = page.text_content("#read-train-accuracy")
    page.fill("#prune", "1")
    wait_for(lambda: page.text_content("#read-train-accuracy") != correct)
    page.fill("#prune", "0")
    wait_for(lambda: page.text_content("#read-train-accuracy") == correct)


def test_points_are_drawn_by_pointer_and_keyboard(page: Any) -> None:
    page.select_option("#data-kind", "drawn")
    assert "two points of each" in page.text_content("#notice")
    box = page.locator("#plane").bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    for label, x in ((0, 0.25), (1, 0.75)):
        page.locator("#draw-tools button").nth(label).click()
        page.mouse.move(*at(x, 0.2))
        page.mouse.down()
        for i in range(12):
            page.mouse.move(*at(x, 0.2 + 0.05 * i))
        page.mouse.up()
    wait_for(lambda: {label for *_, label in state(page)["data"]["drawn"]} == {0, 1})
    drawn = state(page)["data"]["drawn"]
    assert all((x < 0) == (label == 0) for x, _, label in drawn)
    page.locator("#plane").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_for(lambda: len(state(page)["data"]["drawn"]) == len(drawn) + 1)
    assert state(page)["data"]["drawn"][-1][2] == 1
    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: state(page)["data"]["drawn"] == drawn)
    learn(page)
    page.get_by_role("button", name="+ class").click()
    page.mouse.click(*at(0.5, 0.9))
    page.mouse.click(*at(0.55, 0.9))
    wait_for(lambda: {label for *_, label in state(page)["data"]["drawn"]} == {0, 1, 2})


def learn(page: Any) -> None:
    """Play until all training points are right."""
    page.select_option("#speed", "")
    page.click("#play")
    wait_for(lambda: page.text_content("#read-train-accuracy") == "100.0 %")
    page.click("#play")
    wait_for(lambda: page.get_attribute("#play", "aria-pressed") == "false")


def table(rows: int, label: str = "kind") -> str:
    """A table of which two columns tell the classes apart."""
    lines = [f"width,<img src=x onerror=alert(1)>,noise,{label}"]
    for i in range(rows):
        sign = 1 if i % 2 else -1
        lines.append(
            f"{sign + i / rows},{i % 7},{(i * 13) % 5},{'<b>wide</b>' if sign > 0 else 'thin'}"
        )
    return "\n".join(lines) + "\n"


def test_a_table_is_dropped_its_columns_chosen_and_its_words_are_only_text(
    browser: Any, playground: Any
) -> None:
    with tab(browser, playground.url, errors=REFUSED) as page:
        choose_tables(page)


def choose_tables(page: Any) -> None:
    page.select_option("#data-kind", "table")
    assert page.is_visible("#drop")
    page.set_input_files(
        "#table-file", {"name": "kinds.csv", "mimeType": "text/csv", "buffer": table(80).encode()}
    )
    wait_for(lambda: state(page)["data"]["kind"] == "table")
    assert state(page)["data"]["label"] == "kind"
    assert len(state(page)["data"]["columns"]) == 2
    assert "<b>wide</b>" in page.text_content("#legend")
    assert page.locator("#legend b, #columns img").count() == 0
    page.select_option("#table-column-1", "noise")
    wait_for(lambda: state(page)["data"]["columns"][1] == "noise")
    page.select_option("#table-inputs", "components")
    wait_for(lambda: state(page)["data"]["columns"] == [])
    learn(page)
    drop = """text => {
      const held = new DataTransfer();
      held.items.add(new File([text], "more.csv"));
      document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, dataTransfer: held}));
    }"""
    before = state(page)["data"]["table"]
    page.evaluate(drop, table(60, "sort"))
    wait_for(lambda: state(page)["data"]["table"] != before)
    assert state(page)["data"]["label"] == "sort"
    page.evaluate(drop, "<!doctype html><title>no table</title>")
    page.locator("#table-error").wait_for()
    assert len(page.text_content("#table-error")) > 20


def test_a_formula_that_is_wrong_gets_its_sentence_beside_it(page: Any) -> None:
    page.select_option("#data-kind", "formula")
    wait_for(lambda: state(page)["data"]["kind"] == "formula")
    for bad in ("__import__('os')", "y >", "<script>alert(1)</script>"):
        page.fill("#data-formula", bad)
        page.press("#data-formula", "Enter")
        page.locator("#data-formula-error").wait_for()
        assert page.get_attribute("#data-formula", "aria-invalid") == "true"
    page.fill("#data-formula", "x * y > 0")
    page.press("#data-formula", "Enter")
    wait_for(lambda: state(page)["data"]["formula"] == "x * y > 0")
    assert page.locator("#data-formula-error").is_hidden()


def test_a_link_opens_the_same_state_and_trains_to_the_same_picture(
    browser: Any, playground: Any, page: Any
) -> None:
    page.select_option("#data-kind", "moons")
    page.select_option("#network-activation", "leaky_relu")
    page.fill("#training-seed", "7")
    page.press("#training-seed", "Enter")
    page.click("#show-test")
    wait_for(lambda: state(page)["training"]["seed"] == 7 and not held(page)["view"]["test"])
    page.click("#share")
    page.wait_for_function("() => document.querySelector('#share-link').value.includes('#s=')")
    link = page.input_value("#share-link")
    page.keyboard.press("Escape")
    assert decoded(link) == held(page)
    with tab(browser, link) as other:
        wait_for(lambda: other.input_value("#training-seed") == "7")
        assert held(other) == held(page)
        for each in (page, other):
            for number in range(3):
                each.click("#step")
                wait_for(lambda each=each, number=number: step(each) == number + 1)
        wait_for(lambda: pixels(page) == pixels(other))
    page.select_option("#data-kind", "circles")
    wait_for(lambda: state(page)["data"]["kind"] == "circles")
    page.click("#share")
    page.fill("#open-link", "not a link")
    page.click("#open-button")
    page.locator("#open-error").wait_for()
    page.fill("#open-link", link)
    page.click("#open-button")
    wait_for(lambda: held(page) == decoded(link))


@pytest.mark.parametrize(
    "link",
    [
        "#s=AAAA",
        "#s=%F0%9F",
        "#" + encoded(5),
        "#" + encoded({"state": [1]}),
        "#" + encoded({"state": {"data": {"kind": "<b>spirals</b>"}}, "view": 3}),
        "#" + encoded({"state": {"data": {"kind": "table", "table": "gone", "label": "a"}}}),
        "#" + encoded({"state": {"data": {"kind": "formula", "formula": "__import__('os')"}}}),
    ],
)
def test_a_link_that_holds_nonsense_gets_a_sentence(
    browser: Any, playground: Any, link: str
) -> None:
    with tab(browser, playground.url + link) as page:
        wait_for(lambda: len(page.text_content("#notice")) > 20 or page.is_visible(".error"))
        assert state(page)["data"]["kind"] == "spirals"
        train(page, 5)


def test_two_tabs_train_at_once_and_each_its_own(browser: Any, playground: Any, page: Any) -> None:
    with tab(browser, playground.url) as other:
        other.select_option("#data-kind", "xor")
        wait_for(lambda: state(other)["data"]["kind"] == "xor")
        for each in (page, other):
            each.click("#play")
        for each in (page, other):
            each.wait_for_function("() => +document.body.dataset.step >= 50")
        assert state(page)["data"]["kind"] == "spirals"


def test_a_reload_while_it_trains_keeps_the_state(page: Any) -> None:
    page.select_option("#data-kind", "circles")
    wait_for(lambda: state(page)["data"]["kind"] == "circles")
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 10")
    page.reload()
    ready(page)
    wait_for(lambda: page.input_value("#data-kind") == "circles")
    assert state(page)["data"]["kind"] == "circles"
    train(page, 20)


def test_a_server_that_ends_and_comes_back_is_found_again(browser: Any) -> None:
    with serving() as first:
        port, token = first.port, first.token
        held_tab = tab(browser, first.url, errors="")  # the browser itself reports lost sockets
        page = held_tab.__enter__()
        page.select_option("#data-kind", "moons")
        wait_for(lambda: state(page)["data"]["kind"] == "moons")
        page.click("#play")
        page.wait_for_function("() => +document.body.dataset.step >= 5")
    page.locator("#banner").wait_for()
    assert "does not answer" in page.text_content("#banner")
    with serving(port, token) as second:
        page.wait_for_function("() => document.body.dataset.connected === 'yes'")
        page.locator("#banner").wait_for(state="hidden")
        wait_for(lambda: len(second.sessions) == 1)
        assert state(page)["data"]["kind"] == "moons"
        page.wait_for_function("() => +document.body.dataset.step >= 1")  # it plays on
        held_tab.__exit__(None, None, None)


def test_a_killed_command_is_reported_and_a_new_token_too(browser: Any) -> None:
    with command(0) as (server, url):
        held_tab = tab(browser, url, errors="")
        page = held_tab.__enter__()
        server.send_signal(signal.SIGKILL)
        page.locator("#banner").wait_for()
    port = int(url.split(":")[2].partition("/")[0])
    with command(port):
        page.wait_for_function(
            "() => document.querySelector('#banner').textContent.includes('token')"
        )
        held_tab.__exit__(None, None, None)


class command:
    """`scratchnet playground` as a process of its own, and the address that it prints."""

    def __init__(self, port: int) -> None:
        self.arguments = ["playground", "--no-browser", "--port", str(port)]

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scratchnet", *self.arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
        )
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if "http://" in line)
        return self.process, line[line.index("http://") :].strip()

    def __exit__(self, *error: Any) -> None:
        self.process.kill()
        self.process.communicate()


def test_neurons_and_edges_tell_their_numbers_to_pointer_and_keyboard(page: Any) -> None:
    train(page, 20)
    page.locator("#neurons button[tabindex='0']").focus()
    page.locator("#detail h3").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    wait_for(lambda: page.text_content("#detail h3") == "hidden layer 2, neuron 2")
    for word in ("formula", "value", "gradient", "source"):
        assert word in page.text_content("#detail")
    page.keyboard.press("PageDown")
    wait_for(lambda: "edge from hidden layer 1, neuron 1" in page.text_content("#detail h3"))
    box = page.locator("#neurons button[aria-label='output']").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_for(lambda: page.text_content("#detail h3") == "output")


def test_a_small_negative_number_has_the_sign_that_sums_know(page: Any) -> None:
    shown = page.evaluate("async () => (await import('/page/network.js')).short(-0.002)")
    assert shown == "−2e−3"


def test_backprop_is_scrubbed_and_its_sums_are_the_engines(page: Any) -> None:
    train(page, 20)
    page.click("#backprop")
    page.locator("#backprop-text b").wait_for()
    assert page.text_content("#backprop-text b").startswith("1 of 8")
    box = page.locator("#plane").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    wait_for(lambda: page.input_value("#backprop-sample") != "0")
    titles = []
    for number in range(8):
        titles.append(page.text_content("#backprop-text b").partition(": ")[2])
        if "hidden layer 1" in titles[-1]:
            assert page.locator("#backprop-text tbody tr").count() == (8 if number < 4 else 2)
        page.get_by_label("One step on").click()
    assert titles[1:4] == [
        "forward through hidden layer 1",
        "forward through hidden layer 2",
        "forward through the output",
    ]
    assert titles[5].startswith("backward through the output")
    page.fill("#backprop-slider", "1")
    before = pixels(page, "#network")
    rows = page.locator("#backprop-text tbody tr").all()
    assert len(rows) == 8
    for row in rows:
        cells = [cell.replace("−", "-") for cell in row.locator("td").all_text_contents()]
        total = sum(map(float, cells[1].replace("- ", "+ -").split(" + ")))
        assert abs(total - float(cells[2])) < 0.02  # the terms have two decimals
        assert float(cells[3]) == max(0, float(cells[2]))
    page.click("#backprop-play")
    wait_for(lambda: page.text_content("#backprop-text b").startswith("3 of 8"))
    page.click("#backprop-play")
    assert pixels(page, "#network") != before
    page.click("#backprop")
    assert page.locator("#backprop-panel").is_hidden()


def test_ten_seeds_and_the_sweep_are_trained_drawn_and_told(page: Any) -> None:
    for button, text, chart in (
        ("#ten-seeds", "#seeds-text", "#seeds-chart"),
        ("#sweep", "#sweep-text", "#sweep-chart"),
    ):
        page.click(button)
        page.locator(chart).wait_for()
        assert "300 steps" in page.text_content(text)
        assert page.text_content(button) != "Cancel"
        assert page.get_attribute(chart, "aria-label").count("%") >= 5
    page.click("#ten-seeds")
    assert page.text_content("#ten-seeds") == "Cancel"
    page.click("#ten-seeds")
    assert page.text_content("#seeds-text") == "Cancelled."


def test_what_is_taken_along(page: Any, tmp_path: Path) -> None:
    train(page, 30)
    files = {}
    page.click("#take")
    for what in ("python", "safetensors", "png", "svg"):
        with page.expect_download() as download:
            page.click(f"[data-export={what}]")
        files[what] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[what])
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    drawing = files["svg"].read_text()
    root = ElementTree.fromstring(drawing)
    assert root.tag.endswith("svg") and drawing.count("<path") > 400  # one for each point
    code = files["python"].read_text()
    assert page.text_content("#code") == code
    code += """
from scratchnet.checkpoint import load_model
other = load_model("playground.safetensors")
assert other.parameter_buffer.tobytes() == model.parameter_buffer.tobytes()
"""
    files["python"].write_text(code)
    run = subprocess.run(
        [sys.executable, files["python"]], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "the same bits" in run.stdout and "other bits" not in run.stdout


def test_every_lesson_waits_for_a_prediction_then_plays(page: Any) -> None:
    lessons = json.loads((PAGE / "lessons.json").read_text())
    assert len(lessons) == 8
    for lesson in lessons:
        assert len(lesson["sentences"]) == 3 and lesson["question"].endswith("?")
        page.select_option("#lesson", lesson["id"])
        wait_for(lambda lesson=lesson: holds(state(page), lesson["state"]))
        assert page.is_disabled("#play") and page.is_disabled("#step")
        page.keyboard.press("Space")
        assert page.get_attribute("#play", "aria-pressed") == "false"
        page.locator("input[name=prediction]").nth(lesson["answer"]).check()
        assert page.is_enabled("#play")
        page.get_by_role("button", name="What happens?").click()
        assert "As you predicted" in page.text_content("#lesson-card .outcome")
    page.get_by_role("button", name="Leave the lesson").click()
    assert page.is_enabled("#play") and page.locator("#lesson-card").is_hidden()


def act(page: Any, label: str) -> None:
    """Press a button of the lesson."""
    variants = page.locator("#lesson-card .variants")
    variants.get_by_role("button", name=label, exact=True).click()


def told(page: Any) -> list[str]:
    """What the lesson says came out, button by button."""
    return list(page.locator("#lesson-card .told li").all_inner_texts())


def test_each_variant_of_a_lesson_ends_at_its_step_and_is_told_in_the_card(page: Any) -> None:
    page.select_option("#lesson", "dying")
    page.locator("input[name=prediction]").nth(2).check()
    for number, label in enumerate(("Play at 1", "at 0.01"), 1):
        page.select_option("#speed", "")
        act(page, label)
        wait_for(lambda n=number: len(told(page)) == n and "after 300 steps" in told(page)[-1])
        assert step(page) == 300
        wait_for(lambda: page.get_attribute("#play", "aria-pressed") == "false")
        assert (
            told(page)[-1].startswith(f"{label}: ") and "zero on every training" in told(page)[-1]
        )
    assert page.is_visible(".outcome")
    page.click("#play")  # beyond the lesson's end it goes on
    wait_for(lambda: step(page) > 320)


def test_a_ticket_is_trained_only_after_all_weights_were(page: Any) -> None:
    page.select_option("#lesson", "ticket")
    page.locator("input[name=prediction]").first.check()
    later = page.get_by_role("button", name="3. Train the ticket")
    assert later.is_disabled()
    page.select_option("#speed", "")
    page.click("#play")  # does what the lesson's first button does
    wait_for(lambda: told(page) and "after 600 steps" in told(page)[0])
    assert told(page)[0].startswith("1. Train all weights") and later.is_enabled()
    act(page, "2. Cut 80 %")
    wait_for(lambda: len(told(page)) == 2)
    later.click()
    wait_for(lambda: len(told(page)) == 3 and "after 600 steps" in told(page)[2])
    assert page.is_visible(".outcome") and step(page) == 600
    act(page, "1. Train all weights")
    wait_for(lambda: step(page) < 600)
    assert later.is_disabled()


def test_ten_seeds_and_the_sweep_of_a_lesson_are_told_in_the_card(page: Any) -> None:
    page.select_option("#lesson", "two-neurons")
    page.locator("input[name=prediction]").first.check()
    act(page, "Play")
    wait_for(lambda: step(page) > 5)
    act(page, "Ten seeds")
    wait_for(lambda: told(page) and "of 10 reach 95 %" in told(page)[-1])
    assert page.get_attribute("#play", "aria-pressed") == "false"
    assert page.is_visible(".outcome")


def holds(state: Any, part: Any) -> bool:
    """Whether the state has everything that the part names."""
    return all(state[group][name] == value for group in part for name, value in part[group].items())


def test_nothing_is_fetched_from_elsewhere_and_the_page_is_small(
    browser: Any, playground: Any
) -> None:
    asked: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(playground.url)
    ready(page)
    context.close()
    own = f"http://127.0.0.1:{playground.port}/"
    assert all(url.startswith((own, "data:")) for url in asked)
    assert sum(each.stat().st_size for each in PAGE.iterdir()) <= 1_000_000


def test_a_phone_needs_no_sideways_scrolling(browser: Any, playground: Any) -> None:
    with tab(browser, playground.url, viewport={"width": 390, "height": 844}) as page:
        for prepare in (
            lambda: None,
            lambda: page.select_option("#lesson", "rates"),
            lambda: page.select_option("#lesson", "exploding"),
            lambda: page.select_option("#data-kind", "table"),
            lambda: page.select_option("#data-kind", "drawn"),
            lambda: page.click("#share"),
        ):
            prepare()
            page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
            for part in ("#plane", "#network", "#controls", "#transport"):
                box = page.locator(part).bounding_box()
                assert 0 <= box["x"] and box["x"] + box["width"] <= 390


def test_on_a_phone_the_buttons_of_backprop_stand_in_one_row(browser: Any, playground: Any) -> None:
    with tab(browser, playground.url, viewport={"width": 390, "height": 844}) as page:
        page.click("#backprop")
        page.locator("#backprop-text b").wait_for()
        buttons = page.locator("#backprop-panel .row:has(input[type=range]) button").all()
        assert len({button.bounding_box()["y"] for button in buttons}) == 1 and len(buttons) == 3


CONTRASTS = """() => {
  const channels = color => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest(":disabled")) continue;
    let ground = element, color;
    do color = channels(getComputedStyle(ground).backgroundColor);
    while (color[3] < 255 && (ground = ground.parentElement));
    const ink = channels(getComputedStyle(element).color);
    const [a, b] = [ink, color].map(each => light(each.slice(0, 3)));
    found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_has_contrast(browser: Any, playground: Any, theme: Any) -> None:
    with tab(browser, playground.url, color_scheme=theme) as page:
        page.select_option("#lesson", "dying")
        page.locator("input[name=prediction]").first.check()
        page.get_by_role("button", name="What happens?").click()
        page.select_option("#data-kind", "drawn")
        for prepare in (lambda: None, lambda: page.click("#take")):
            prepare()
            found = page.evaluate(CONTRASTS)
            assert len(found) > 60
            assert [each for each in found if each[0] < 4.5] == []


def test_the_theme_is_switched_and_kept(page: Any) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    seen = []
    for theme in ("light", "dark"):
        page.click("#theme")
        assert page.get_attribute("html", "data-theme") == theme
        seen.append((page.evaluate(ground), pixels(page)))
    assert seen[0][0] != seen[1][0] and seen[0][1] != seen[1][1]
    page.reload()
    ready(page)
    assert page.evaluate(ground) == seen[1][0]


def test_everything_is_reached_by_the_tab_key_with_visible_focus(page: Any) -> None:
    wanted = page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, textarea, canvas[tabindex]")]
        .filter(each => each.checkVisibility() && !each.disabled && each.tabIndex >= 0)
        .filter(each => each.type !== "radio" || each.checked)
        .map(each => each.id || each.ariaLabel || each.textContent)"""
    )
    reached = set()
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => { const each = document.activeElement;
            const { outlineStyle } = getComputedStyle(each);
            return [each.id || each.ariaLabel || each.textContent, outlineStyle]; }"""
        )
        reached.add(name)
        assert outline != "none" or page.evaluate("() => document.activeElement === document.body")
    assert set(wanted) <= reached


def test_reduced_motion_is_honoured(browser: Any, playground: Any) -> None:
    with tab(browser, playground.url, reduced_motion="reduce") as page:
        moving = """() => [...document.querySelectorAll("*")].filter(each => {
          const style = getComputedStyle(each);
          return style.transitionDuration !== "0s" || style.animationName !== "none";
        }).length"""
        assert page.evaluate(moving) == 0
