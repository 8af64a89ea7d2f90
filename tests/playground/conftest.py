"""What the tests of the page share: a browser, a server, and a page that shows a picture."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import chromium, tab


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
