"""The page's looks: its size, a phone, contrast, themes, focus, motion."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import context, held, pixels, ready, tab, train, wait_for
from serving import serving
from showing import STATES, anew, given

PAGE = Path(__file__).parents[2] / "demos" / "playground" / "page"
# The contrast of every text that is shown, and the text.
CONTRASTS = """() => {
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const channels = color => {
    if (!known.has(color)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = color;
      pen.fillRect(0, 0, 1, 1);
      known.set(color, [...pen.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(color);
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const contrast = (one, other) => {
    const [a, b] = [one, other].map(light);
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  };
  const behind = element => {
    for (let ground = element; ground; ground = ground.parentElement) {
      const color = channels(getComputedStyle(ground).backgroundColor);
      if (color[3] === 255) return color.slice(0, 3);
    }
  };
  const found = [];
  const add = (element, ink, text) =>
    found.push([contrast(channels(ink).slice(0, 3), behind(element)), text.trim().slice(0, 40)]);
  const dialog = document.querySelector("dialog[open]");
  const shown = each => each.checkVisibility() && !each.closest(":disabled");
  const walker = document.createTreeWalker(dialog ?? document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || !shown(element)) continue;
    add(element, getComputedStyle(element).color, node.data);
  }
  for (const field of (dialog ?? document).querySelectorAll("input, textarea")) {
    if (!shown(field) || ["checkbox", "radio", "range"].includes(field.type)) continue;
    const part = field.value ? undefined : "::placeholder";
    add(field, getComputedStyle(field, part).color, field.value || field.placeholder);
  }
  for (const {canvas, ink, grounds, text, isDark} of window.written.splice(0)) {
    if (isDark !== window.isDark()) continue; // of the theme before
    const under = behind(canvas);
    const worst = Math.min(...grounds.map(([alpha, ...rgb]) => contrast(channels(ink).slice(0, 3),
      rgb.map((c, i) => (alpha * c + (255 - alpha) * under[i]) / 255))));
    found.push([worst, `on #${canvas.id}: ${text}`]);
  }
  return found;
}"""
# Before a text is written on a canvas, what is there is noted.
NOTE_WRITTEN = """(() => {
  window.written = [];
  window.isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  const {fillText} = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const {actualBoundingBoxLeft: left, actualBoundingBoxRight: right,
      actualBoundingBoxAscent: up, actualBoundingBoxDescent: down} = this.measureText(text);
    const {a: ratio} = this.getTransform();
    const box = [x - left, y - up, left + right, up + down].map(each => Math.round(each * ratio));
    if (window.noting && box[2] && box[3]) {
      const {data} = this.getImageData(...box), grounds = new Map();
      for (let i = 0; i < data.length; i += 4) {
        grounds.set(data.slice(i, i + 4).join(), [data[i + 3], ...data.slice(i, i + 3)]);
      }
      window.written.push({canvas: this.canvas, ink: this.fillStyle, grounds: [...grounds.values()],
        text, isDark: window.isDark()});
    }
    return fillText.call(this, text, x, y);
  };
})()"""
CONTROLS = """
  const inside = document.querySelector("dialog[open]") ?? document;
  const kinds = "button, select, input, textarea, canvas[tabindex], [tabindex='0']";
  const controls = [...inside.querySelectorAll(kinds)]
    .filter(each => each.checkVisibility() && !each.closest("#neurons"));
  const place = each => (each.matches("[type=checkbox], [type=radio]") ? each.labels[0] : each)
    .getBoundingClientRect();
  const name = each => each.labels?.[0]?.textContent || each.ariaLabel || each.textContent;
  const words = each => `${each.tagName} ${each.id} ${name(each).trim().slice(0, 30)}`;
"""
SIDEWAYS = f"""() => {{ {CONTROLS}
  const {{clientWidth, scrollWidth}} = document.documentElement;
  const beyond = controls.filter(each => place(each).left < 0 || place(each).right > clientWidth);
  const cut = controls.filter(each =>
    each.matches("button") && each.scrollWidth > each.clientWidth);
  return [scrollWidth > clientWidth, ...beyond.map(words), ...cut.map(words)];
}}"""
SMALL = f"""() => {{ {CONTROLS}
  return controls.filter(each => Math.min(place(each).width, place(each).height) < 32).map(words);
}}"""
OVERLAPPING = f"""() => {{ {CONTROLS}
  const still = controls.filter(each => !each.closest("#transport")); // which floats
  const pairs = still.flatMap((a, i) => still.slice(i + 1).map(b => [a, b]))
    .filter(([a, b]) => !a.contains(b));
  return pairs.filter(([one, other]) => {{
    const [a, b] = [one, other].map(place);
    return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  }}).map(pair => pair.map(words).join(" and "));
}}"""
NAMELESS = f"""() => {{ {CONTROLS}
  return controls.filter(each => !each.closest("[aria-hidden]") && !name(each).trim())
    .map(each => each.outerHTML.slice(0, 80));
}}"""


def test_nothing_is_fetched_from_elsewhere_and_the_page_is_small(
    browser: Any, playground: Any
) -> None:
    asked: list[str] = []
    alone = context(browser)
    page = alone.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(playground.address.url)
    ready(page)
    wait_for(lambda: page.locator("#lesson option").count() > 1)
    alone.close()
    own = f"http://127.0.0.1:{playground.address.port}/"
    assert all(url.startswith((own, "data:")) for url in asked)
    assert sum(each.stat().st_size for each in PAGE.iterdir()) <= 1_000_000


def test_all_modules_are_asked_for_at_once() -> None:
    """Else a browser asks for a module only once it has read the one that imports it."""
    page = (PAGE / "index.html").read_text()
    named = re.findall(r'<link rel="modulepreload" href="page/(.+?)">', page)
    assert sorted([*named, "main.js"]) == sorted(each.name for each in PAGE.glob("*.js"))


@pytest.fixture(scope="module")
def phone(browser: Any, playground: Any) -> Iterator[Any]:
    """A page as wide as a phone, for one state after the other."""
    looks = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}
    with tab(browser, playground.address.url, errors="status of 400", **looks) as page:
        page.add_init_script(NOTE_WRITTEN)
        page.reload()
        ready(page)
        yield page


@pytest.mark.parametrize("name", STATES)
def test_on_a_phone_everything_fits_is_named_large_enough_and_readable(
    phone: Any, name: str
) -> None:
    anew(phone)
    STATES[name](phone)
    fits(phone)


def fits(page: Any) -> None:
    """What holds of every state on a phone."""
    assert page.evaluate(SIDEWAYS) == [False]
    assert page.evaluate(SMALL) == []
    assert page.evaluate(OVERLAPPING) == []
    assert page.evaluate(NAMELESS) == []
    for theme in ("dark", "light"):
        page.evaluate("() => { window.noting = true; }")
        page.emulate_media(color_scheme=theme)  # all is drawn anew
        page.wait_for_function("() => window.written.some(each => each.isDark === window.isDark())")
        found = page.evaluate(CONTRASTS)
        page.evaluate("() => { window.noting = false; }")
        assert len(found) > 20
        assert [each for each in found if each[0] < 4.5] == []


def test_a_lost_connection_is_told_on_a_phone_too(browser: Any) -> None:
    looks = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}
    with serving() as own:
        with tab(browser, own.address.url, errors="ERR_CONNECTION", **looks) as page:
            page.add_init_script(NOTE_WRITTEN)
            page.reload()
            ready(page)
            page.route_web_socket("**/ws*", lambda route: route.close())
            page.reload()
            page.locator("#banner").wait_for()
            fits(page)
            for control in ("#share", "#more-layers", "#backprop", "#ten-seeds"):
                page.locator(control).scroll_into_view_if_needed()
                place = page.locator(control).bounding_box()
                page.mouse.click(place["x"] + 9, place["y"] + 9)  # there is no state to change
            assert page.text_content("#ten-seeds") == "Ten seeds"


def test_on_a_phone_the_buttons_of_backprop_stand_in_one_row(browser: Any, playground: Any) -> None:
    with tab(browser, playground.address.url, viewport={"width": 390, "height": 844}) as page:
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


@pytest.mark.parametrize("width", [320, 768, 1400])
def test_nothing_is_beyond_the_edge_or_over_another_at_other_widths(
    browser: Any, playground: Any, width: int
) -> None:
    with tab(browser, playground.address.url, viewport={"width": width, "height": 900}) as page:
        for name in ("lesson rates, answered", "a table", "backprop, forward", "a wrong formula"):
            anew(page)
            STATES[name](page)
            assert page.evaluate(SIDEWAYS) == [False]
            assert page.evaluate(OVERLAPPING) == []


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


@pytest.mark.parametrize("width", [390, 1000, 1400])
def test_the_tab_key_goes_through_the_panels_as_the_eye_does(
    browser: Any, playground: Any, width: int
) -> None:
    with tab(browser, playground.address.url, viewport={"width": width, "height": 900}) as page:
        if not page.evaluate("() => CSS.supports('reading-flow: grid-rows')"):
            pytest.skip("needs a browser that knows reading-flow")
        page.focus("#speed")
        reached: list[str] = []
        for _ in range(200):
            page.keyboard.press("Tab")
            panel = page.evaluate("() => document.activeElement.closest('main > *')?.id")
            if panel is None:
                break
            if panel not in reached[-1:]:
                reached.append(panel)
        places = [page.locator(f"#{panel}").bounding_box() for panel in reached]
        assert len(places) == 3
        assert places == sorted(places, key=lambda box: (box["y"], box["x"]))


def test_the_button_that_plays_says_what_it_does_in_one_way(page: Any) -> None:
    """A changing name and a pressed state would contradict each other: "Pause, pressed"."""
    assert page.get_attribute("#play", "aria-pressed") is None
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Play", exact=True).wait_for()


@pytest.mark.parametrize("button", ["share", "take"])
def test_escape_closes_a_dialog_and_the_focus_returns(page: Any, button: str) -> None:
    page.focus(f"#{button}")
    page.keyboard.press("Enter")
    page.locator(f"#{button}-dialog").wait_for()
    for _ in range(12):  # the focus stays inside, or goes to the browser
        page.keyboard.press("Tab")
        assert page.evaluate(
            "() => (focused => focused === document.body || focused.closest('dialog') !== null)"
            "(document.activeElement)"
        )
    page.keyboard.press("Escape")
    page.locator(f"#{button}-dialog").wait_for(state="hidden")
    assert page.evaluate("() => document.activeElement.id") == button


def test_a_button_that_goes_away_hands_the_focus_on(page: Any) -> None:
    def focused() -> Any:
        return page.evaluate(
            "() => document.activeElement.id || document.activeElement.textContent"
        )

    page.select_option("#lesson", "dying")
    page.get_by_role("button", name="Leave the lesson").focus()
    page.keyboard.press("Enter")
    assert focused() == "lesson"
    given(page, {"network": {"layers": [4]}})
    page.focus("#fewer-layers")
    page.keyboard.press("Enter")
    wait_for(lambda: focused() == "more-layers")
    given(page, {"network": {"layers": [1] * 7}})
    page.focus("#more-layers")
    page.keyboard.press("Enter")
    wait_for(lambda: focused() == "fewer-layers")
    page.select_option("#data-kind", "drawn")
    page.get_by_role("button", name="+ class").focus()
    page.keyboard.press("Enter")
    assert focused() == "class 2"


def test_what_is_read_out_changes_seldom_while_it_trains(page: Any) -> None:
    """A screen reader speaks whatever changes in a live region."""
    page.select_option("#lesson", "folding")
    page.locator("input[name=prediction]").first.check()
    page.select_option("#speed", "")
    page.evaluate(
        """() => {
          const of = node => (node.nodeType === 1 ? node : node.parentElement);
          const speaks = "[aria-live], [role=status], [role=alert], output";
          window.spoken = {};
          new MutationObserver(changes => {
            if (document.querySelector("#play .word").textContent !== "Pause") return;
            const regions = new Set(changes.map(each => of(each.target)?.closest(speaks)));
            for (const region of regions) {
              if (!region || region.ariaLive === "off") continue;
              (window.spoken[region.id || region.className] ??= []).push(performance.now());
            }
          }).observe(document.body, {childList: true, characterData: true, subtree: true});
        }"""
    )
    page.click("#play")  # beyond the lesson's end it goes on
    wait_for(lambda: "after 400 steps" in page.text_content(".told"))
    page.click("#play")
    page.focus("#neurons button >> nth=3")
    page.wait_for_function("() => +document.body.dataset.picture > 60")
    spoken = page.evaluate("() => window.spoken")
    for times in spoken.values():
        assert all(after - before > 2000 for before, after in zip(times, times[1:], strict=False))


def test_a_finger_chooses_neurons_and_edges_and_draws(browser: Any, playground: Any) -> None:
    touch = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with tab(browser, playground.address.url, **touch) as page:

        def tap(control: str, across: float, down: float) -> None:
            page.locator(control).scroll_into_view_if_needed()
            box = page.locator(control).bounding_box()
            page.touchscreen.tap(box["x"] + across * box["width"], box["y"] + down * box["height"])

        tap("#neurons button[aria-label='hidden layer 2, neuron 3']", 0.5, 0.5)
        wait_for(lambda: page.text_content("#detail h3") == "hidden layer 2, neuron 3")
        assert "−" in page.text_content("#detail dl")
        assert re.search(r"-\s?\d", page.text_content("#detail dl")) is None  # one sign for minus
        box = page.locator("#neurons button[aria-label='output']").bounding_box()
        last = page.locator("#neurons button[aria-label='hidden layer 2, neuron 8']").bounding_box()
        middle = (box["x"] + last["x"] + last["width"]) / 2
        height = (box["y"] + last["y"] + last["height"]) / 2
        page.touchscreen.tap(middle, height + 7)  # beside the edge: a finger is not exact
        wait_for(lambda: page.text_content("#detail h3").startswith("edge from hidden layer 2"))
        page.select_option("#data-kind", "drawn")
        for label, x in ((0, 0.3), (1, 0.7)):
            page.locator("#draw-tools button").nth(label).tap()
            for y in (0.4, 0.6):
                tap("#plane", x, y)
        wait_for(lambda: len(held(page)["state"]["data"]["drawn"]) == 4)
        assert page.is_enabled("#play")


def test_the_curves_are_named_outside_of_them_on_a_phone_too(browser: Any, playground: Any) -> None:
    with tab(browser, playground.address.url, viewport={"width": 390, "height": 800}) as page:
        for name in ("loss", "correct"):
            words = page.locator(f"#curves figcaption:has-text('{name}')")
            assert [each.strip() for each in words.inner_text().split("\n")] == [
                name,
                "train",
                "test",
            ]
            assert words.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_a_large_network_that_has_paused_is_drawn_whole(page: Any) -> None:
    """While it trains, the edges into one layer are drawn anew at a time."""
    given(page, {"network": {"layers": [20, 20]}})
    assert page.text_content("#network-note").startswith("501 parameters")
    train(page, 200)
    assert page.text_content("#read-speed") == "–"
    shown = pixels(page, "#network")
    page.focus("#neurons button >> nth=3")
    assert pixels(page, "#network") != shown
    page.focus("#play")  # which draws all of it
    assert pixels(page, "#network") == shown


def test_reduced_motion_is_honoured(browser: Any, playground: Any) -> None:
    with tab(browser, playground.address.url, reduced_motion="reduce") as page:
        moving = """() => [...document.querySelectorAll("*")].filter(each => {
          const style = getComputedStyle(each);
          return style.transitionDuration !== "0s" || style.animationName !== "none";
        }).length"""
        assert page.evaluate(moving) == 0
