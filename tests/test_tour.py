"""The tour: each run bears out one of its choices, and the lines that it shows exist."""

import io
import sys

import pytest

from scratchnet.demos.source_places import named
from scratchnet.demos.tour import command
from scratchnet.demos.tour.command import lines_of, main
from scratchnet.demos.tour.screens import SCREENS


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.title)
def test_a_run_bears_out_a_choice(screen):
    found, right = screen.run()
    assert found and 0 <= right < len(screen.choices) <= 3
    assert callable(named(screen.source))
    first, *lines = lines_of(screen.source)
    assert first.endswith(":") and any("def " in line or "class " in line for line in lines)


def test_without_a_terminal_it_asks_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["--screen", "9"]) == 0
    shown = capsys.readouterr().out
    assert "10 of 10" in shown and "prediction" not in shown


def test_predictions_are_counted_and_nonsense_is_asked_again(monkeypatch, capsys):
    typed = iter(["x", "b", "", "a", "q"])
    monkeypatch.setattr("builtins.input", lambda question: next(typed))
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(command.sys, "stdout", out := Terminal())
    assert main([]) == 0
    shown = out.getvalue()
    assert "You were right." in shown and "It is c." in shown
    assert "1 of your predictions held" in shown and "3 of 10" not in shown
