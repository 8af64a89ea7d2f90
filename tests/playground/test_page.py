"""The playground's page in a real Chromium: controls, hover, backprop, ten seeds, files."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from browsing import held, pixels, plays, state, step, train, wait_for


def test_training_is_played_paused_stepped_and_begun_anew(page: Any) -> None:
    page.keyboard.press("Space")
    page.wait_for_function("() => +document.body.dataset.step >= 20")
    assert page.text_content("#play .word") == "Pause"
    page.keyboard.press("Space")
    wait_for(lambda: not plays(page))
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
    wait_for(lambda: not any(held(page)["view"][name] for name in ("regions", "wrong", "test")))
    train(page, 100)
    correct = page.text_content("#read-train-accuracy")
    page.fill("#prune", "1")
    wait_for(lambda: page.text_content("#read-train-accuracy") != correct)
    page.fill("#prune", "0")
    wait_for(lambda: page.text_content("#read-train-accuracy") == correct)


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


def test_another_network_takes_what_was_said_of_a_neuron_away(page: Any) -> None:
    page.locator("#neurons button[tabindex='0']").focus()
    page.locator("#detail h3").wait_for()
    page.click("#fewer-layers")
    wait_for(lambda: page.locator("#detail h3").count() == 0)
    assert "Point at a neuron" in page.text_content("#detail")


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
    wait_for(
        lambda: (
            page.get_attribute("#backprop-text", "data-sample")
            == page.input_value("#backprop-sample")
            != "0"
        )
    )
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
    wait_for(lambda: int(page.text_content("#backprop-text b").split()[0]) >= 3)
    page.click("#backprop-play")
    assert pixels(page, "#network") != before
    page.click("#backprop")
    assert page.locator("#backprop-panel").is_hidden()


def test_ten_seeds_and_the_sweep_are_trained_drawn_and_told(
    page: Any, go_on: threading.Event
) -> None:
    go_on.set()
    for button, text, chart in (
        ("#ten-seeds", "#seeds-text", "#seeds-chart"),
        ("#sweep", "#sweep-text", "#sweep-chart"),
    ):
        page.click(button)
        page.locator(chart).wait_for()
        assert "300 steps" in page.text_content(text)
        assert page.text_content(button) != "Cancel"
        assert page.get_attribute(chart, "aria-label").count("%") >= 5
    go_on.clear()
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
