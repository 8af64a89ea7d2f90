"""How soon the playground shows a picture, how many a second while it trains, and what one costs.

`python tests/playground/measure_pictures.py [STEPS_PER_SECOND]` starts the command, opens its page
in a tab that is there already, and trains 2-[16]*4-1 on 400 points with regions shown, at 1,000
steps a second unless told otherwise. The server runs on one processor, the browser on another.
The processor time of a picture depends less on what else the machine does than the pictures per
second do. `tests/campaigns/pictures.txt` has what was printed last. Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from browsing import chromium, context, encoded, held, ready
from threadpoolctl import threadpool_limits

from scratchnet.demos.playground.compiling import compiles_cuts
from scratchnet.demos.playground.session import Session
from scratchnet.demos.playground.state import state_from

SECONDS, TIMES, SETTLING = 10.0, 3, 15.0
SECONDS_PER_TICK = 1 / os.sysconf("SC_CLK_TCK")

COMMAND = "-m scratchnet playground --no-browser --port=0 --json"
STATE = {"network": {"layers": [16] * 4}, "data": {"points": 400}}
# The page draws its network, curves and numbers by time. With this clock it draws them as often for
# each picture as at 30 pictures a second, however many there are. Of two pictures that come while
# it is busy it draws one, which counts once.
CLOCK = """() => {
  document.body.dataset.drawn = 0;
  new MutationObserver(() => document.body.dataset.drawn++).observe(document.body,
    { attributeFilter: ["data-picture"] });
  const start = performance.now(), first = Number(document.body.dataset.picture);
  performance.now = () => start + (document.body.dataset.picture - first) * 1000 / 30;
}"""


def main(steps_per_second: str = "1000") -> None:
    """Measure, and print what was found."""
    print(f"a picture takes the server {1000 * seconds_of_server():.1f} ms of processor time")
    first, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {(others or [first])[0]})
    with chromium() as browser, ExitStack() as at_end:
        page = context(browser, viewport={"width": 1400, "height": 1000}).new_page()
        start = time.monotonic()
        server = subprocess.Popen(
            [sys.executable, *COMMAND.split()],
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {first}),
        )
        at_end.callback(server.wait)
        at_end.callback(server.terminate)
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        print(f"the page's address is printed {time.monotonic() - start:.2f} s after the command")
        page.goto(url)
        ready(page)
        print(f"its first picture is there {time.monotonic() - start:.2f} s after the command")
        play(page, url, steps_per_second)
        time.sleep(SETTLING)  # the steps are compiled meanwhile
        page.evaluate(CLOCK)
        for _ in range(TIMES):
            steps, pictures, used = rates(page)
            print(
                f"{steps:.0f} steps and {pictures:.1f} pictures a second, "
                f"{page.text_content('#read-regions')} regions; a picture takes the "
                f"browser {1000 * used / pictures:.1f} ms of processor time"
            )


def seconds_of_server() -> float:
    """Processor time that a picture takes, the median of many; its regions' cuts are compiled."""
    threadpool_limits(1, "blas")
    session = Session(lambda message: None)
    session.begin(state_from(STATE))
    session.do_show(size=96)  # as the page asks for
    session.learning.advance(600)
    session._compiling.has_cutter = compiles_cuts()
    taken = []
    for _ in range(50):
        start = time.thread_time()
        session.picture()
        taken.append(time.thread_time() - start)
    return float(np.median(taken))


def play(page: Any, url: str, speed: str) -> None:
    """Open the network of the measurement and train it."""
    link = held(page)
    for part, fields in STATE.items():
        link["state"][part].update(fields)
    page.goto("about:blank")
    page.goto(f"{url}#{encoded(link)}")
    ready(page)
    page.select_option("#speed", speed)
    page.click("#play")


def rates(page: Any) -> Any:
    """Per second: steps, pictures that are drawn, and the browser's processor time."""
    before = look(page)
    time.sleep(SECONDS)
    change = look(page) - before
    return change[1:] / change[0]


def look(page: Any) -> Any:
    """The time, the steps and pictures so far, and the browser's seconds of processor time."""
    step, picture = page.evaluate("() => [document.body.dataset.step, document.body.dataset.drawn]")
    used = processor_seconds(browsers(os.getpid()))
    return np.array([time.monotonic(), float(step), float(picture), used])


def browsers(parent: int) -> list[int]:
    """The processes of the browser below a process."""
    parents, named = {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        process = int(folder.name)
        name, fields = stat_of(process)
        if fields:
            parents[process] = int(fields[1])
            if "chrom" in name:
                named.add(process)
    below = {parent}
    while more := {child for child, its in parents.items() if its in below} - below:
        below |= more
    return sorted(below & named)


def processor_seconds(processes: list[int]) -> float:
    """What these processes have used so far."""
    ticks = [sum(map(int, stat_of(each)[1][11:13])) for each in processes]
    return SECONDS_PER_TICK * sum(ticks)


def stat_of(process: int) -> tuple[str, list[str]]:
    """A process's name, and what follows it in /proc/PID/stat; nothing where it has ended."""
    try:
        name, _, fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    except OSError:
        return "", []
    return name, fields.split()


if __name__ == "__main__":
    main(*sys.argv[1:])
