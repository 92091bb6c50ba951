"""A logging service may fail, hang or go away; the caller goes on in bounded time."""

from __future__ import annotations

import threading
import time

import pytest

from foveate.pipeline.loggers.guard import Guard


def test_a_call_gives_what_the_function_returns() -> None:
    assert Guard("S").call(max, 1, 2, seconds=5) == 2


def test_failures_are_printed_once_and_others_are_tried(capsys: pytest.CaptureFixture[str]) -> None:
    guard = Guard("S")
    assert [guard.call(int, "x"), guard.call(int, "y"), guard.call(int, "3")] == [None, None, 3]
    assert capsys.readouterr().err.count("S failed (ValueError: ") == 1


def test_after_a_call_that_hangs_nothing_more_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    guard, called, release = Guard("S"), [], threading.Event()
    began = time.monotonic()
    guard.call(release.wait, seconds=0.1)
    guard.call(called.append, 1)
    release.set()
    assert time.monotonic() - began < 5
    assert guard.broken
    assert called == []
    assert "S failed (TimeoutError: no answer in 0.1 s); metrics.csv still gets" in capsys.readouterr().err


def test_after_a_lost_connection_nothing_more_is_called() -> None:
    def lose() -> None:
        raise BrokenPipeError

    guard = Guard("S")
    guard.call(lose)
    assert guard.broken


def test_an_exit_inside_a_library_does_not_end_the_process() -> None:
    assert Guard("S").call(exit, 0) is None
