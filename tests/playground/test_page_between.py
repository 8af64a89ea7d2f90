"""What happens on the page between a question and its answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from browsing import (
    HOLD_UNPACKING,
    encoded,
    follow,
    held,
    let_unpack,
    plays,
    rests,
    state,
    step,
    unpacks,
    wait_for,
)
from lines import Line, lined

NOTE_PRESSES = """() => {
  const word = document.querySelector("#play .word");
  window.shown = [];
  new MutationObserver(() => window.shown.push(word.textContent))
    .observe(word, { childList: true });
}"""
"""Notes in `window.shown` whatever the play button shows from now on."""


def enter(page: Any, field: str, text: str) -> None:
    page.fill(field, text)
    page.press(field, "Enter")


def play(page: Any) -> None:
    page.click("#play")
    page.wait_for_function("() => +document.body.dataset.step >= 1")


# Play and pause --------------------------------------------------------------------------------


def test_what_is_paused_while_a_state_is_awaited_stays_paused(line: tuple[Any, Line]) -> None:
    page, server = line
    play(page)
    server.holds = {"state"}
    enter(page, "#training-seed", "5")
    server.waits(page)
    page.click("#play")
    server.let_go()
    rests(page)
    assert state(page)["training"]["seed"] == 5 and not plays(page)


def test_what_is_played_while_a_state_is_awaited_is_shown_as_playing(
    line: tuple[Any, Line],
) -> None:
    page, server = line
    server.holds = {"state"}
    enter(page, "#training-seed", "5")
    server.waits(page)
    page.click("#play")
    page.evaluate(NOTE_PRESSES)
    server.let_go()
    page.wait_for_function("() => +document.body.dataset.step >= 1")
    assert plays(page) and "Play" not in page.evaluate("() => window.shown")


def test_the_answer_to_an_older_question_does_not_show_what_plays_as_paused(
    line: tuple[Any, Line],
) -> None:
    page, server = line
    play(page)
    server.holds = {"state"}
    for seed in ("5", "6"):
        enter(page, "#training-seed", seed)
    server.waits(page, 2)
    page.evaluate(NOTE_PRESSES)
    server.next()
    server.heard(page)
    assert plays(page)
    server.let_go()
    wait_for(lambda: state(page)["training"]["seed"] == 6 and step(page) >= 1)
    assert "Play" not in page.evaluate("() => window.shown")


@pytest.mark.parametrize("button", ["#step", "#epoch", "#back", "#ten-seeds"])
def test_what_a_button_stops_is_shown_as_paused_at_once(
    line: tuple[Any, Line], button: str
) -> None:
    page, server = line
    page.select_option("#speed", "1")
    play(page)
    server.holds = {"picture"}
    page.click(button)
    assert not plays(page)
    server.picture(playing=True)  # the last one before
    server.heard(page)
    assert not plays(page)


# Lessons ---------------------------------------------------------------------------------------


def lesson(page: Any, name: str, button: str) -> None:
    """Open a lesson, predict, and press one of its buttons; until the first step."""
    page.select_option("#lesson", name)
    page.locator("input[name=prediction]").first.check()
    page.select_option("#speed", "1")
    act(page, button)
    wait_for(lambda: plays(page) and step(page) >= 1)


def act(page: Any, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def told(page: Any) -> list[str]:
    return list(page.locator("#lesson-card .told li").all_inner_texts())


def test_what_the_training_before_reached_is_not_told_beside_the_next_button(
    line: tuple[Any, Line],
) -> None:
    page, server = line
    lesson(page, "dying", "Play at 1")
    server.holds = {"state"}
    act(page, "at 0.01")
    server.waits(page)
    server.picture(step=300)
    page.wait_for_function("() => document.body.dataset.step === '300'")
    assert told(page) == [] and page.is_hidden(".outcome")
    server.let_go()
    wait_for(lambda: state(page)["training"]["learning_rate"] == 0.01 and step(page) < 300)
    assert plays(page)


def test_that_the_training_before_diverged_is_not_told_beside_the_next_button(
    line: tuple[Any, Line],
) -> None:
    page, server = line
    lesson(page, "exploding", "with He's weights")
    server.holds = {"state"}
    act(page, "Play without scaling")
    server.waits(page)
    server.say("stopped", why="diverged", sentence="the loss is not finite")
    server.heard(page)
    assert told(page) == [] and page.is_hidden(".outcome")


def test_a_training_that_ends_late_ends_nothing_that_was_begun_since(
    line: tuple[Any, Line], go_on: threading.Event
) -> None:
    page, server = line
    lesson(page, "rates", "Play at 0.05")
    server.holds = {"picture"}
    act(page, "Sweep")
    server.picture(step=2000, playing=True)
    page.wait_for_function("() => document.body.dataset.step === '2000'")
    assert page.text_content("#sweep") == "Cancel"
    assert all("correct" not in each for each in told(page))


def test_a_ticket_waits_for_the_training_that_was_begun_anew(line: tuple[Any, Line]) -> None:
    page, server = line
    lesson(page, "ticket", "1. Train all weights")
    page.select_option("#speed", "")
    ticket = page.get_by_role("button", name="3. Train the ticket")
    wait_for(ticket.is_enabled)
    server.holds = {"state"}
    act(page, "1. Train all weights")
    assert ticket.is_disabled()


def test_what_the_server_gives_up_is_shown_as_cancelled(
    line: tuple[Any, Line], go_on: threading.Event
) -> None:
    page, server = line
    for _ in range(3):  # started, cancelled, started
        page.click("#ten-seeds")
    server.say("cancelled", of="ten_seeds", id=1)
    server.heard(page)
    assert page.text_content("#ten-seeds") == "Cancel"
    server.say("cancelled", of="ten_seeds", id=2)
    wait_for(lambda: page.text_content("#seeds-text") == "Cancelled.")
    assert page.text_content("#ten-seeds") == "Ten seeds"


# Backprop and hover ----------------------------------------------------------------------------


def test_backprop_of_the_network_before_is_not_drawn_over_the_next_one(
    line: tuple[Any, Line],
) -> None:
    page, server = line
    page.click("#backprop")
    page.locator("#backprop-text b").wait_for()
    page.fill("#backprop-slider", "2")  # forward through hidden layer 2
    server.holds = {"backprop"}
    page.click("#fewer-layers")
    server.waits(page)
    for button in ("One step on", "One step back"):
        page.get_by_label(button).click()
    page.click("#backprop-play")
    server.let_go()
    wait_for(lambda: page.get_attribute("#backprop-slider", "max") == "5")
    assert page.text_content("#layer-count") == "1 hidden layer"


def test_backprop_shows_the_sample_that_was_chosen_last(line: tuple[Any, Line]) -> None:
    page, server = line
    page.click("#backprop")
    page.locator("#backprop-text b").wait_for()
    server.holds = {"backprop"}
    for sample in ("3", "5"):
        enter(page, "#backprop-sample", sample)
    server.waits(page, 2)
    page.focus("#play")
    server.next()
    server.heard(page)
    assert page.input_value("#backprop-sample") == "5"
    page.click("#step")
    server.let_go()
    wait_for(lambda: step(page) == 1)
    wait_for(lambda: page.get_attribute("#backprop-text", "data-sample") == "5")
    assert [each["sample"] for each in server.asked if each["do"] == "backprop"][-1] == 5


def test_backprop_of_fewer_points_shows_one_of_them(page: Any) -> None:
    page.click("#backprop")
    page.locator("#backprop-text b").wait_for()
    enter(page, "#backprop-sample", "150")
    wait_for(lambda: page.get_attribute("#backprop-text", "data-sample") == "150")
    enter(page, "#data-points", "20")
    wait_for(lambda: page.get_attribute("#backprop-text", "data-sample") == "9")
    assert page.is_hidden("#notice")


def test_no_neuron_is_asked_about_that_the_next_network_may_lack(line: tuple[Any, Line]) -> None:
    page, server = line

    def point_at(name: str) -> None:
        box = page.locator(f"#neurons button[aria-label='{name}']").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    page.focus("#fewer-layers")
    point_at("hidden layer 1, neuron 2")
    page.locator("#detail h3").wait_for()
    server.holds = {"state"}
    page.keyboard.press("Enter")
    server.waits(page)
    point_at("output")  # of layer 3
    page.evaluate("() => new Promise(done => setTimeout(done, 200))")  # longer than it waits to ask
    page.keyboard.press("s")
    server.let_go()
    wait_for(lambda: step(page) == 1)
    assert page.is_hidden("#notice")
    assert {each["layer"] for each in server.asked if each["do"] == "hover"} <= {1, 2}


def test_what_is_said_of_an_edge_is_of_the_one_that_is_chosen(line: tuple[Any, Line]) -> None:
    page, server = line
    page.focus("#neurons button[aria-label='hidden layer 2, neuron 1']")
    page.locator("#detail h3").wait_for()
    server.holds = {"hover"}
    page.keyboard.press("PageDown")
    server.waits(page)
    page.keyboard.press("PageDown")
    server.waits(page, 2)
    server.next()
    server.heard(page)
    assert page.text_content("#detail h3") == "hidden layer 2, neuron 1"
    server.let_go()
    wait_for(lambda: "edge from hidden layer 1, neuron 2" in page.text_content("#detail h3"))


# Fields ----------------------------------------------------------------------------------------


def test_a_formula_that_is_typed_is_kept_when_an_answer_comes(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"state"}
    page.select_option("#data-kind", "formula")
    page.fill("#data-formula", "x >")
    server.waits(page)
    server.let_go()
    wait_for(lambda: state(page)["data"]["kind"] == "formula")
    assert page.input_value("#data-formula") == "x >"
    enter(page, "#data-formula", "x > y")
    wait_for(lambda: state(page)["data"]["formula"] == "x > y")


def test_a_field_that_has_the_focus_shows_the_value_of_a_link(page: Any) -> None:
    link = held(page)
    link["state"]["training"] |= {"seed": 7, "learning_rate": 0.1}
    for field in ("#training-seed", "#training-learning_rate-slider"):
        page.focus(field)
        follow(page, link)
        assert page.input_value("#training-seed") == "7"
        assert page.input_value("#training-learning_rate") == "0.1"
        assert page.input_value("#training-learning_rate-slider") == "7"
        link["state"]["training"]["seed"] = 8
        follow(page, link)
        assert page.input_value("#training-seed") == "8"
        link["state"]["training"]["seed"] = 7


def test_a_number_that_is_typed_is_kept_when_an_answer_comes(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"state"}
    enter(page, "#training-seed", "5")
    page.fill("#training-learning_rate", "0.3")
    server.waits(page)
    server.let_go()
    wait_for(lambda: state(page)["training"]["seed"] == 5)
    assert page.input_value("#training-learning_rate") == "0.3"
    page.fill("#training-learning_rate", "")
    page.press("#training-learning_rate", "Enter")
    assert page.input_value("#training-learning_rate") == "0.01"  # its default


def test_a_slider_that_moves_keeps_its_value_when_an_answer_comes(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"state"}
    enter(page, "#training-seed", "5")
    server.waits(page)
    page.evaluate(
        """() => {
          const slider = document.querySelector("#training-learning_rate-slider");
          const { setTimeout } = window;
          window.setTimeout = action => { window.later = action; return 1e9; };
          slider.value = 5;
          slider.dispatchEvent(new Event("input"));
          window.setTimeout = setTimeout;
        }"""
    )
    server.let_go()
    wait_for(lambda: page.evaluate("() => +document.body.dataset.kept") > 1)
    page.evaluate("() => window.later()")
    wait_for(lambda: state(page)["training"]["learning_rate"] == 0.02)
    assert state(page)["training"]["seed"] == 5


def test_an_error_of_what_was_replaced_is_not_shown(line: tuple[Any, Line]) -> None:
    page, server = line
    page.select_option("#data-kind", "formula")
    wait_for(lambda: state(page)["data"]["kind"] == "formula")
    server.holds = {"error", "state"}
    for text in ("y >", "x > y"):
        enter(page, "#data-formula", text)
    server.waits(page, 2)
    server.next()
    server.heard(page)
    assert page.is_hidden("#data-formula-error")
    server.let_go()
    wait_for(lambda: state(page)["data"]["formula"] == "x > y")


def test_an_error_names_the_field_as_the_page_does(page: Any) -> None:
    enter(page, "#training-learning_rate", "-5")
    page.locator("#training-learning_rate-error").wait_for()
    assert page.text_content("#training-learning_rate-error").startswith("“learning rate” is -5")


def test_a_neuron_of_a_layer_that_was_taken_away_is_not_added(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"state"}
    page.click("#fewer-layers")
    server.waits(page)
    page.get_by_label("One neuron more in hidden layer 2").click()
    server.let_go()
    wait_for(lambda: state(page)["network"]["layers"] == [8])
    server.heard(page)
    sent = [each["state"]["network"]["layers"] for each in server.asked if each["do"] == "set"]
    assert sent == [[8]]


def test_what_was_left_out_of_the_view_is_said_again(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scratchnet.demos.playground.session import Session

    put, left_out = Session.put, []

    def busy_at_first(session: Any, message: Any) -> bool:
        if '"speed"' in str(message) and not left_out:
            left_out.append(message)
            return False
        return put(session, message)

    monkeypatch.setattr(Session, "put", busy_at_first)
    page.select_option("#speed", "1")
    speeds: list[Any] = []
    monkeypatch.setattr(
        Session, "do_speed", lambda session, steps_per_second: speeds.append(steps_per_second)
    )
    wait_for(lambda: speeds == [1])


# Pictures, files and links ---------------------------------------------------------------------


def test_a_picture_is_read_in_its_own_window(line: tuple[Any, Line]) -> None:
    page, server = line
    box = page.locator("#plane").bounding_box()

    def read() -> str:
        page.mouse.move(0, 0)
        page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
        return str(page.text_content("#plane-note")).partition(":")[0]

    place = read()
    server.holds = {"state"}
    page.select_option("#data-kind", "blobs")
    server.waits(page)
    server.holds = {"picture"}  # those of the new state
    server.next()
    wait_for(lambda: state(page)["data"]["kind"] == "blobs")
    assert read() == place
    server.let_go()
    rests(page)
    assert read() != place


HOLD_TABLES = """() => {
  const { fetch } = window;
  window.tables = [];
  window.fetch = async (...about) => {
    const answer = await fetch(...about), { promise, resolve } = Promise.withResolvers();
    answer.text = answer.json;
    answer.json = async () => {
      const read = await answer.text();
      window.tables.push(() => { resolve(read); return new Promise(done => setTimeout(done)); });
      return promise;
    };
    return answer;
  };
}"""
"""Answers to tables wait in `window.tables`; each is a function that lets it through."""
DROP = """([name, text]) => {
  const held = new DataTransfer();
  held.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent("drop", {bubbles: true, dataTransfer: held}));
}"""


def table(label: str) -> str:
    rows = [f"{i % 7},{i * 5 % 11},{i % 3},{'xy'[i % 2]}" for i in range(40)]
    return "\n".join([f"width,height,noise,{label}", *rows])


def drop(page: Any, number: int, label: str) -> None:
    """Drop a table and wait until its answer, the `number`-th, is held back."""
    page.evaluate(DROP, [f"{label}.csv", table(label)])
    page.wait_for_function(f"() => window.tables.length >= {number}")


def let_table(page: Any, number: int) -> None:
    page.evaluate(f"() => window.tables[{number - 1}]()")


def test_of_two_tables_the_one_that_was_dropped_last_is_shown(page: Any) -> None:
    page.evaluate(HOLD_TABLES)
    drop(page, 1, "first")
    drop(page, 2, "last")
    let_table(page, 2)
    wait_for(lambda: state(page)["data"]["label"] == "last")
    let_table(page, 1)
    rests(page)
    assert state(page)["data"]["label"] == "last"
    assert page.input_value("#table-label") == "last"


@pytest.mark.parametrize("control", ["#lesson", "#data-kind"])
def test_a_table_does_not_replace_what_was_chosen_since_it_was_dropped(
    page: Any, control: str
) -> None:
    page.evaluate(HOLD_TABLES)
    drop(page, 1, "kind")
    chosen = {"#lesson": "folding", "#data-kind": "circles"}[control]
    page.select_option(control, chosen)
    rests(page)
    let_table(page, 1)
    rests(page)
    assert state(page)["data"]["kind"] == "circles"


def test_a_link_chooses_the_columns_of_a_table(page: Any) -> None:
    page.select_option("#data-kind", "table")
    page.evaluate(DROP, ["kinds.csv", table("kind")])
    wait_for(lambda: state(page)["data"]["columns"] == ["width", "height"])
    link = held(page)
    page.select_option("#table-column-1", "noise")
    wait_for(lambda: state(page)["data"]["columns"] == ["width", "noise"])
    follow(page, link)
    assert state(page)["data"]["columns"] == ["width", "height"]
    assert page.input_value("#table-column-1") == "height"


def test_undo_takes_no_points_of_a_link_for_strokes(page: Any) -> None:
    page.select_option("#data-kind", "drawn")
    page.focus("#plane")
    for _ in range(8):
        page.keyboard.press("Enter")
    link = held(page)
    link["state"]["data"] |= {
        "kind": "drawn",
        "drawn": [[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 1], [1, 0.5, 1]],
    }
    follow(page, link)
    assert len(state(page)["data"]["drawn"]) == 5
    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: state(page)["data"]["drawn"] == link["state"]["data"]["drawn"][:4])


def test_a_link_that_is_opened_before_the_first_state_is_shown(
    browser: Any, playground: Any
) -> None:
    with lined(browser, playground.address.url) as (page, server):
        link = held(page)
        link["state"]["network"]["layers"] = [3]
        server.holds = {"limits"}
        page.reload()
        server.waits(page)
        page.select_option("#speed", "10")  # there is no state yet to be kept
        page.evaluate("link => { location.hash = link; }", encoded(link))
        wait_for(lambda: page.input_value("#speed") == "60")  # the link's
        server.let_go()
        rests(page)
        assert held(page) == link
        assert page.text_content("#layer-count") == "1 hidden layer"


def test_a_link_that_was_left_again_while_it_was_unpacked_is_not_opened(page: Any) -> None:
    before, link = held(page), held(page)
    link["state"]["network"]["layers"] = [3]
    page.evaluate(HOLD_UNPACKING)
    own = page.evaluate("() => location.hash")
    page.evaluate("link => { location.hash = link; }", encoded(link))
    unpacks(page)
    page.evaluate(
        """() => new Promise(done => {
          addEventListener("hashchange", done, {once: true});
          history.back();
        })"""
    )
    assert page.evaluate("() => location.hash") == own
    let_unpack(page)
    rests(page)
    assert held(page) == before


def test_a_lesson_that_is_chosen_while_a_link_is_unpacked_is_shown(page: Any) -> None:
    link = held(page)
    link["state"]["network"]["layers"] = [3]
    page.evaluate(HOLD_UNPACKING)
    page.evaluate("link => { location.hash = link; }", encoded(link))
    unpacks(page)
    page.select_option("#lesson", "folding")
    let_unpack(page)
    rests(page)
    assert state(page)["data"]["kind"] == "circles" and page.is_visible("#lesson-card")


def test_the_note_of_a_link_is_about_that_link(page: Any) -> None:
    page.evaluate(HOLD_UNPACKING)
    page.click("#share")
    page.select_option("#data-kind", "table")
    let_unpack(page)
    page.locator("#share-dialog[open]").wait_for()
    assert page.text_content("#share-note") == ""


def test_only_the_link_that_was_copied_is_called_copied(page: Any) -> None:
    page.evaluate(
        "() => { navigator.clipboard.writeText = () =>"
        " new Promise(done => { window.copied = done; }); }"
    )
    for layers in ("2 hidden layers", "3 hidden layers"):
        wait_for(lambda layers=layers: page.text_content("#layer-count") == layers)
        page.click("#share")
        page.locator("#share-dialog[open]").wait_for()
        if layers.startswith("2"):
            page.click("#copy-link")
        else:
            page.evaluate("() => { window.copied(); }")
        said = page.evaluate("() => document.querySelector('#copied').textContent")
        assert said == ""
        page.keyboard.press("Escape")
        page.click("#more-layers")


def test_a_file_that_is_lost_with_the_connection_is_told(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"export"}
    page.click("#take")
    page.click("[data-export=python]")
    server.waits(page)
    server.held = []
    server.route.close()
    wait_for(lambda: "connection" in page.text_content("#take-note"))
    wait_for(lambda: page.is_hidden("#banner"))
    with page.expect_download():
        server.holds = set()
        page.click("[data-export=python]")


def test_two_files_are_asked_for_and_the_second_cannot_be_made(line: tuple[Any, Line]) -> None:
    page, server = line
    server.holds = {"export"}
    page.click("#take")
    for what in ("python", "safetensors"):
        page.click(f"[data-export={what}]")
    server.waits(page, 2)
    server.next()
    page.locator("#code").wait_for()
    server.say("error", of="export", sentence="there is no memory")
    wait_for(lambda: page.text_content("#take-note") == "there is no memory")
