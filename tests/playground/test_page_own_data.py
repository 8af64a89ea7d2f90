"""The page with data of one's own: drawn points, a table, a formula."""

from typing import Any

from browsing import decoded, pause, plays, rests, state, tab, wait_for
from serving import serving

REFUSED = "status of 400"


def test_points_are_drawn_by_pointer_and_keyboard(page: Any) -> None:
    page.select_option("#data-kind", "drawn")
    assert "two points of each" in page.text_content("#notice")
    assert page.is_disabled("#play") and page.is_disabled("#ten-seeds")
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


def test_nothing_learns_from_points_that_were_taken_away(page: Any) -> None:
    page.select_option("#data-kind", "drawn")
    box = page.locator("#plane").bounding_box()
    for label in (0, 1):
        page.locator("#draw-tools button").nth(label).click()
        for y in (0.3, 0.6):
            page.mouse.click(
                box["x"] + (0.3 + 0.4 * label) * box["width"], box["y"] + y * box["height"]
            )
    wait_for(lambda: len(state(page)["data"]["drawn"]) == 4)
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step > 0")
    page.get_by_role("button", name="Clear").click()
    wait_for(lambda: not plays(page))
    assert page.is_disabled("#play")
    page.keyboard.press("Escape")
    page.select_option("#data-kind", "xor")
    wait_for(lambda: state(page)["data"]["kind"] == "xor")
    assert page.is_enabled("#play")


def learn(page: Any) -> None:
    """Play until all training points are right."""
    rests(page)
    page.select_option("#speed", "")
    page.click("#play")
    wait_for(lambda: page.text_content("#read-train-accuracy") == "100.0 %")
    pause(page)


def table(rows: int, label: str = "kind") -> str:
    """A table of which two columns tell the classes apart."""
    lines = [f"width,<img src=x onerror=alert(1)>,noise,{label}"]
    for i in range(rows):
        sign = 1 if i % 2 else -1
        lines.append(
            f"{sign + i / rows},{i % 7},{(i * 13) % 5},{'<b>wide</b>' if sign > 0 else 'thin'}"
        )
    return "\n".join(lines) + "\n"


DROP = """text => {
  const held = new DataTransfer();
  held.items.add(new File([text], "more.csv"));
  document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, dataTransfer: held}));
}"""


def test_a_table_is_dropped_its_columns_chosen_and_its_words_are_only_text(
    browser: Any, playground: Any
) -> None:
    with tab(browser, playground.address.url, errors=REFUSED) as page:
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
    before = state(page)["data"]["table"]
    page.evaluate(DROP, table(60, "sort"))
    wait_for(lambda: state(page)["data"]["table"] != before)
    assert state(page)["data"]["label"] == "sort"
    page.evaluate(DROP, "<!doctype html><title>no table</title>")
    page.locator("#table-error").wait_for()
    assert len(page.text_content("#table-error")) > 20


def test_a_file_that_is_no_table_gets_its_sentence_whatever_the_data_are(
    browser: Any, playground: Any
) -> None:
    with tab(browser, playground.address.url, errors=REFUSED) as page:
        page.evaluate(DROP, "<!doctype html><title>no table</title>")
        page.locator("#table-error").wait_for()
        assert state(page)["data"]["kind"] == "spirals" and page.is_hidden("#drop")
        page.select_option("#data-kind", "moons")
        page.locator("#table-error").wait_for(state="hidden")


def test_a_link_with_a_table_says_what_to_drop_and_keeps_its_columns(
    browser: Any, playground: Any
) -> None:
    file = {"name": "kinds.csv", "mimeType": "text/csv", "buffer": table(80).encode()}
    with tab(browser, playground.address.url) as page:
        page.select_option("#data-kind", "table")
        page.set_input_files("#table-file", file)
        wait_for(lambda: state(page)["data"]["kind"] == "table")
        page.select_option("#table-column-1", "noise")
        wait_for(lambda: state(page)["data"]["columns"] == ["width", "noise"])
        page.click("#more-layers")
        wait_for(lambda: len(state(page)["network"]["layers"]) == 3)
        page.click("#share")
        page.locator("#share-dialog[open]").wait_for()
        assert "kinds.csv" in page.text_content("#share-note")
        link = page.evaluate("() => location.hash")
    with serving() as elsewhere, tab(browser, elsewhere.address.url + link) as page:
        wait_for(lambda: "drop that file" in page.text_content("#notice"))
        said = page.text_content("#notice")
        assert all(word in said for word in ("“kinds.csv”", "width and noise", "kind"))
        assert page.input_value("#data-kind") == "table" and page.is_visible("#drop")
        page.set_input_files("#table-file", file)
        elsewhere_only = ("", decoded(link)["state"]["data"]["table"])
        wait_for(lambda: state(page)["data"]["table"] not in elsewhere_only)
        assert state(page)["data"]["columns"] == ["width", "noise"]
        assert state(page)["data"]["label"] == "kind"
        assert len(state(page)["network"]["layers"]) == 3


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
