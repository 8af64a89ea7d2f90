"""Moving pictures: a figure drawn again and again, as a GIF."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.demos.figures import Figure, styled

PIXELS_PER_INCH = 90
COLORS = 96
LAST_FRAME_MILLISECONDS = 2500


@styled
def gif(figure: Figure, draw: Callable[[int], None], frames: int, milliseconds: int = 120) -> bytes:
    """A GIF of `frames` pictures of the figure, the last one shown longer, again and again.

    `draw(i)` changes the figure to what picture i shows. All pictures have the layout of the last,
    which is drawn first, and its colours.
    """
    from PIL import Image

    def picture(i: int) -> Any:
        """Frame i as an image of its own, (height, width, 3) in RGB."""
        draw(i)
        figure.canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())

    canvas: Any = figure.canvas
    figure.set_dpi(PIXELS_PER_INCH)
    palette = picture(frames - 1).quantize(COLORS)
    figure.set_layout_engine("none")
    pictures = [
        picture(i).quantize(palette=palette, dither=Image.Dither.NONE) for i in range(frames)
    ]
    durations = [milliseconds] * (frames - 1) + [LAST_FRAME_MILLISECONDS]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0
    )
    return buffer.getvalue()


def frame_epochs(epochs: int, frames: int) -> list[int]:
    """So many epochs, from 0, to take a picture after: close together at first, when most changes.

    Fewer where there are fewer epochs; the last epoch is the last picture.
    """
    if not frames:
        return []
    spread = np.linspace(0, 1, frames) ** 2 * (epochs - 1)
    return [int(epoch) for epoch in np.unique(np.round(spread))]
