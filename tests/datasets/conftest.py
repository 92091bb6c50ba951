"""Fixtures of the tests of data sets."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What data sets log, notes included: `said.text` holds it."""
    caplog.set_level(logging.INFO, "foveate.datasets")
    return caplog
