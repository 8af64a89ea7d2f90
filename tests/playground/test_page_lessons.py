"""The page's lessons: a prediction first, then what comes out."""

import json
import threading
from pathlib import Path
from typing import Any

from browsing import plays, rests, state, step, wait_for

PAGE = Path(__file__).parents[2] / "demos" / "playground" / "page"


def test_every_lesson_waits_for_a_prediction_then_plays(page: Any) -> None:
    lessons = json.loads((PAGE / "lessons.json").read_text())
    assert len(lessons) == 8
    for lesson in lessons:
        assert len(lesson["sentences"]) == 3 and lesson["question"].endswith("?")
        page.select_option("#lesson", lesson["id"])
        rests(page)
        assert holds(state(page), lesson["state"])
        assert page.is_disabled("#play") and page.is_disabled("#step")
        page.keyboard.press("Space")
        assert not plays(page)
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
        wait_for(lambda: not plays(page))
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
    for _ in range(2):  # it is told anew
        act(page, "2. Cut 80 %")
        wait_for(lambda: len(told(page)) == 2)
    later.click()
    wait_for(lambda: len(told(page)) == 3 and "after 600 steps" in told(page)[2])
    assert page.is_visible(".outcome") and step(page) == 600
    page.select_option("#speed", "1")  # the end, which enables the button, is far
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
    assert page.is_visible(".outcome")
    wait_for(lambda: not plays(page))


def test_what_runs_is_cancelled_beside_the_button_that_began_it(
    page: Any, go_on: threading.Event
) -> None:
    page.select_option("#lesson", "rates")
    page.locator("input[name=prediction]").first.check()
    act(page, "Sweep")
    wait_for(lambda: told(page) and "training" in told(page)[0])
    act(page, "Play at 0.05")
    wait_for(lambda: step(page) >= 1)
    assert told(page) == ["Sweep: Cancelled."]
    for button in ("#step", "#epoch"):
        page.click("#ten-seeds")
        assert page.text_content("#ten-seeds") == "Cancel"
        page.click(button)
        assert page.text_content("#ten-seeds") == "Ten seeds"
        assert page.text_content("#seeds-text") == "Cancelled."


def test_what_another_rate_gives_is_not_told_beside_a_button_that_names_its_own(page: Any) -> None:
    page.select_option("#lesson", "dying")
    page.locator("input[name=prediction]").first.check()
    page.select_option("#speed", "")
    act(page, "Play at 1")
    wait_for(lambda: told(page) and "after 300 steps" in told(page)[0])
    before = told(page)
    for rate in ("0.1", "0.01"):
        page.fill("#training-learning_rate", rate)
        page.press("#training-learning_rate", "Enter")
        wait_for(lambda rate=rate: state(page)["training"]["learning_rate"] == float(rate))
        wait_for(lambda: step(page) == 0)
        page.click("#play")
        wait_for(lambda: step(page) >= 300)
        if rate == "0.1":
            assert told(page) == before
    wait_for(lambda: len(told(page)) == 2)
    assert told(page)[0] == before[0] and told(page)[1].startswith("at 0.01: ")


def test_what_a_ticket_gave_stays_its_own_and_leaves_with_it(page: Any) -> None:
    page.select_option("#lesson", "ticket")
    page.locator("input[name=prediction]").first.check()
    page.select_option("#speed", "")
    for number, label in enumerate(("1. Train all weights", "3. Train the ticket"), 1):
        act(page, label)
        wait_for(lambda n=number: len(told(page)) == n and "after 600 steps" in told(page)[-1])
    ticket = told(page)[1]
    page.click("#ten-seeds")
    wait_for(lambda: "the first is the ticket" in page.text_content("#seeds-text"))
    page.click("#back")
    wait_for(lambda: step(page) == 0)
    assert page.is_hidden("#seeds-chart")
    assert "ticket" not in page.text_content("#seeds-text")
    page.click("#play")
    wait_for(lambda: step(page) >= 600)
    assert told(page)[1] == ticket


def holds(state: Any, part: Any) -> bool:
    """Whether the state has everything that the part names."""
    return all(state[group][name] == value for group in part for name, value in part[group].items())
