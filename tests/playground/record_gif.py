"""Records demos/results/playground.gif, the README's picture of the page, in a real Chromium.

    python tests/playground/record_gif.py [FILE.gif]

Needs the extra 'playground', Playwright, Chromium and Pillow. About 15 moments of one training are
photographed, at steps that grow by a fifth, and share one palette.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from browsing import chromium, encoded, ready, state, step, tab, wait_for
from PIL import Image
from serving import serving

TARGET = Path(__file__).parents[2] / "demos" / "results" / "playground.gif"
STATE = {
    "data": {"turns": 2, "noise": 0.02},
    "network": {"layers": [16, 16, 16]},
    "training": {"learning_rate": 0.01},
}
VIEW = {"speed": 60}
LAST_STEP, FRAMES = 560, 15
SIZE, WIDTH, COLORS = {"width": 1100, "height": 750}, 826, 64
FIRST_MS, FRAME_MS, LAST_MS = 1200, 260, 4000


def photographed(page: Any) -> list[Image.Image]:
    """The page at step 0, and then while it trains to the last step."""
    found = []
    for number in range(FRAMES):
        wanted = round(LAST_STEP ** (number / (FRAMES - 1))) if number else 0
        while step(page) < wanted:
            page.keyboard.press("Space")
            wait_for(lambda wanted=wanted: step(page) >= wanted - 10)
            page.keyboard.press("Space")
            page.wait_for_function("() => document.body.dataset.rests === 'yes'")
            while step(page) < wanted:
                before = step(page)
                page.keyboard.press("s")
                wait_for(lambda before=before: step(page) > before)
        page.wait_for_timeout(400)  # the network and the curves are drawn less often
        found.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    return found


def save(frames: list[Image.Image], path: Path) -> None:
    """A GIF that holds its first and last frames longer, in one palette of four of the frames."""
    height = round(frames[0].height * WIDTH / frames[0].width)
    small = [each.resize((WIDTH, height), Image.Resampling.LANCZOS) for each in frames]
    strip = Image.new("RGB", (WIDTH, 4 * height))
    for place in range(4):
        strip.paste(small[place * (len(small) - 1) // 3], (0, place * height))
    palette = strip.quantize(COLORS, method=Image.Quantize.MEDIANCUT, kmeans=3)
    drawn = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in small]
    times = [FIRST_MS, *[FRAME_MS] * (len(drawn) - 2), LAST_MS]
    rest = {"append_images": drawn[1:], "duration": times, "loop": 0, "disposal": 1}
    drawn[0].save(path, save_all=True, optimize=False, **rest)


def main(path: Path) -> None:
    """Record the page, and say how large the file is."""
    link = encoded({"state": STATE, "view": VIEW})
    with chromium() as browser, serving() as playground:
        address = f"{playground.address.url}#{link}"
        with tab(browser, address, viewport=SIZE, color_scheme="light") as page:
            ready(page)
            wait_for(lambda: state(page)["network"]["layers"] == [16, 16, 16])
            save(photographed(page), path)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
