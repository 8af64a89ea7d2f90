"""What the tests of the page share: a browser, a server, and a page that shows a picture."""

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import DELAYS, chromium, rests, tab
from lines import Line, lined

from scratchnet.demos.playground.session import Session


@pytest.fixture(scope="session", autouse=DELAYS is not None)
def slow_server() -> Iterator[None]:
    """Answers and pictures take longer, by times that the seed draws."""
    rng = random.Random(DELAYS)

    def late(method: Any, seconds: float) -> Any:
        def wait_and_do(*given: Any, **named: Any) -> Any:
            if rng.random() < 0.4:
                time.sleep(seconds * rng.random())
            return method(*given, **named)

        return wait_and_do

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "answer", late(Session.answer, 0.1))
        patch.setattr(Session, "picture", late(Session.picture, 0.05))
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    for module in ("starlette", "uvicorn", "websockets"):
        pytest.importorskip(module, reason="needs the extra 'playground'")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def playground() -> Iterator[Any]:
    from serving import serving

    with serving() as playground:
        yield playground


@pytest.fixture
def page(browser: Any, playground: Any) -> Iterator[Any]:
    with tab(browser, playground.address.url) as page:
        rests(page)
        yield page


@pytest.fixture
def line(browser: Any, playground: Any) -> Iterator[tuple[Any, Line]]:
    """A page, and the line between it and the server."""
    with lined(browser, playground.address.url) as found:
        yield found


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Ten seeds and sweeps begin, and come to their end only once this event is set."""
    event, advance = threading.Event(), Session._go_on_with_job
    begun: list[Any] = []

    def held(session: Session) -> None:
        if event.is_set() or session._job not in begun:
            begun.append(session._job)
            advance(session)
        else:
            event.wait(0.01)

    monkeypatch.setattr(Session, "_go_on_with_job", held)
    yield event
    event.set()
