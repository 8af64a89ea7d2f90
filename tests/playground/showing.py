"""The states in which the page is looked at: each is brought about from whatever is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from browsing import follow, held, rests, train, wait_for

LESSONS = (
    "one-neuron",
    "two-neurons",
    "rates",
    "folding",
    "dying",
    "exploding",
    "ticket",
    "depth",
)
LETTERS = "W" * 60  # without a place to break
CSV = "\n".join(
    [f"sepal_length_{LETTERS},width,{LETTERS}"]
    + [f"{i % 7},{(i * 5) % 11},{('iris ' + LETTERS, 'lily', 'rose')[i % 3]}" for i in range(60)]
)


def anew(page: Any) -> None:
    """Dialogs closed, no lesson, backprop off, the default state; nothing is pointed at."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelectorAll('dialog[open]').forEach(each => each.close())")
    if page.locator("#lesson-card").is_visible():
        page.select_option("#lesson", "")
    if page.get_attribute("#backprop", "aria-pressed") == "true":
        page.click("#backprop")
    given(page, {})


def given(page: Any, state: Any, **view: Any) -> None:
    """Open a link that holds this."""
    follow(page, {"state": state, "view": {"regions": True, "prune": 0, **view}})
    shown = held(page)["state"]
    for part, wanted in state.items():
        assert {name: shown[part][name] for name in wanted} == wanted


def lesson(name: str) -> Callable[[Any], None]:
    def show(page: Any) -> None:
        page.select_option("#lesson", name)
        rests(page)

    return show


def answered(name: str) -> Callable[[Any], None]:
    def show(page: Any) -> None:
        lesson(name)(page)
        page.locator("input[name=prediction]").last.check()
        page.get_by_role("button", name="What happens?").click()

    return show


def trained(page: Any) -> None:
    train(page, 60)


def pruned(page: Any) -> None:
    train(page, 60)
    before = page.evaluate("() => +document.body.dataset.picture")
    page.fill("#prune", "0.6")
    page.wait_for_function(f"() => +document.body.dataset.picture > {before}")
    rests(page)


def a_neuron(page: Any) -> None:
    page.locator("#neurons button[tabindex='0']").focus()
    page.locator("#detail h3").wait_for()


def an_edge(page: Any) -> None:
    a_neuron(page)
    page.keyboard.press("PageDown")
    wait_for(lambda: "edge" in page.text_content("#detail h3"))


def ten_seeds(page: Any) -> None:
    page.click("#ten-seeds")
    wait_for(lambda: "reach 95 %" in page.text_content("#seeds-text"))


def sweep(page: Any) -> None:
    page.click("#sweep")
    wait_for(lambda: "Dotted" in page.text_content("#sweep-text"))


def backprop(steps: int) -> Callable[[Any], None]:
    def show(page: Any) -> None:
        train(page, 20)
        page.click("#backprop")
        page.locator("#backprop-text b").wait_for()
        page.fill("#backprop-slider", str(steps))

    return show


def table(page: Any) -> None:
    page.select_option("#data-kind", "table")
    content = {"name": f"{LETTERS}.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    page.set_input_files("#table-file", content)
    wait_for(lambda: held(page)["state"]["data"]["kind"] == "table")
    rests(page)


def principal(page: Any) -> None:
    table(page)
    page.select_option("#table-inputs", "components")
    rests(page)
    assert held(page)["state"]["data"]["columns"] == []


def broken_table(page: Any) -> None:
    page.select_option("#data-kind", "table")
    content = {"name": "one.csv", "mimeType": "text/csv", "buffer": b"a\n1\n"}
    page.set_input_files("#table-file", content)
    page.locator("#table-error").wait_for()


def drawn(page: Any) -> None:
    ring = [[round((i % 9) / 9 - 0.5, 2), round((i // 9) / 5 - 0.5, 2), i % 3] for i in range(45)]
    given(page, {"data": {"kind": "drawn", "drawn": ring}})


def nothing_drawn(page: Any) -> None:
    page.select_option("#data-kind", "drawn")


def kind(name: str) -> Callable[[Any], None]:
    def show(page: Any) -> None:
        page.select_option("#data-kind", name)
        rests(page)
        assert held(page)["state"]["data"]["kind"] == name

    return show


def three_classes(page: Any) -> None:
    given(page, {"data": {"kind": "blobs", "classes": 3, "noise": 0.2}})
    assert page.locator("#legend li").count() == 4


def wrong_formula(page: Any) -> None:
    kind("formula")(page)
    page.fill("#data-formula", f"y > {LETTERS}(x)")
    page.press("#data-formula", "Enter")
    page.locator("#data-formula-error").wait_for()


def wrong_numbers(page: Any) -> None:
    for field in ("training-learning_rate",):
        page.fill(f"#{field}", "-5")
        page.press(f"#{field}", "Enter")
        page.locator(f"#{field}-error").wait_for()


def layers(widths: list[int]) -> Callable[[Any], None]:
    def show(page: Any) -> None:
        given(page, {"network": {"layers": widths}})
        assert page.text_content("#layer-count").startswith(str(len(widths)))

    return show


def share(page: Any) -> None:
    page.click("#share")
    page.fill("#open-link", "no link")
    page.click("#open-button")
    page.locator("#open-error").wait_for()


def export(page: Any) -> None:
    page.click("#take")
    with page.expect_download():
        page.click("[data-export=python]")
    page.locator("#code").wait_for()


STATES: dict[str, Callable[[Any], None]] = {
    "at first": lambda page: None,
    **{f"lesson {name}": lesson(name) for name in LESSONS},
    **{f"lesson {name}, answered": answered(name) for name in LESSONS},
    "trained": trained,
    "pruned": pruned,
    "a neuron": a_neuron,
    "an edge": an_edge,
    "ten seeds": ten_seeds,
    "a sweep": sweep,
    "backprop, first step": backprop(0),
    "backprop, forward": backprop(2),
    "backprop, loss": backprop(4),
    "backprop, backward": backprop(6),
    "a table": table,
    "a table's components": principal,
    "a broken table": broken_table,
    "drawn points": drawn,
    "no points": nothing_drawn,
    "three classes": three_classes,
    "XOR": kind("xor"),
    "parity": kind("parity"),
    "images of digits": kind("digits"),
    "a formula": kind("formula"),
    "a wrong formula": wrong_formula,
    "wrong numbers": wrong_numbers,
    "eight layers of 64": layers([64] * 8),
    "no hidden layer": layers([]),
    "sharing": share,
    "taking along": export,
}
