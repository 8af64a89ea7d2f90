"""What the tests of the page share: a browser, a server, and a page that shows a picture."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import chromium, tab

from scratchnet.demos.playground.session import Session


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
    with tab(browser, playground.url) as page:
        yield page


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
