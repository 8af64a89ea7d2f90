"""The page's looks: its size, a phone, contrast, themes, focus, motion."""

from pathlib import Path
from typing import Any

import pytest
from browsing import pixels, ready, tab

PAGE = Path(__file__).parents[2] / "demos" / "playground" / "page"
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
        page.get_by_label("One step on").click()
        page.locator(".sums tbody tr").first.wait_for()
        fits = (
            "() => (sums => sums.scrollWidth <= sums.clientWidth)(document.querySelector('.sums'))"
        )
        assert page.evaluate(fits)


def test_every_control_has_a_name(page: Any) -> None:
    page.select_option("#lesson", "rates")
    page.click("#backprop")
    page.locator("#backprop-text b").wait_for()
    nameless = """() => [...document.querySelectorAll("button, select, input, textarea, canvas")]
      .filter(each => each.checkVisibility() && !each.closest("[aria-hidden]"))
      .filter(each => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
      .map(each => each.outerHTML.slice(0, 80))"""
    assert page.evaluate(nameless) == []


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
