"""Ctrl-C, SIGTERM and SIGHUP: during imports they end in one line, then they are exceptions."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from scratchnet.interruption import INTERRUPTED, SIGNALS, interruptions_raise

PROGRAM = """
import os
from scratchnet.interruption import interruptions_end_the_process
interruptions_end_the_process()
try:
    os.kill(os.getpid(), {number})
    print("goes on")
finally:
    print("cleans up")
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_imports_ends_the_process_in_one_line(number: int) -> None:
    command = [sys.executable, "-c", PROGRAM.format(number=int(number))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == INTERRUPTED == 130
    assert (done.stdout, done.stderr) == ("", "scratchnet: interrupted\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_afterwards_a_signal_is_an_exception(number: int) -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        interruptions_raise()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_another_thread_leaves_the_signals_alone() -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            interruptions_raise()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures and before == [signal.getsignal(each) for each in SIGNALS]


def test_what_nohup_has_started_survives_its_terminal() -> None:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        interruptions_raise()
        ignored = [each for each in SIGNALS if signal.getsignal(each) == signal.SIG_IGN]
        assert ignored == [signal.SIGHUP]
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
