"""Every data set that comes with Foveate keeps the rules that need no data."""

from __future__ import annotations

import pytest

from foveate.datasets.conformance import check_data_set
from foveate.pipeline.offers import foveate_data
from foveate.pipeline.runs.data_sets import load_data_set
from foveate.plugins.manager import Offer, Provider
from foveate.plugins.records import DataSet


@pytest.mark.parametrize("record", list(foveate_data()), ids=lambda record: record.name)
def test_it_keeps_the_rules(record: DataSet) -> None:
    provider = Provider(distribution="foveate", version="0", entry_point="parts")
    results = check_data_set(load_data_set(Offer(record=record, provider=provider)))
    assert [result.describe() for result in results if result.outcome == "failed"] == []
