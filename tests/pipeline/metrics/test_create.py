"""Metrics by name: all of a task, and only those that suit it."""

from __future__ import annotations

import pytest
import torch

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.metrics.create import MEANT, create_metrics, expand_metrics
from foveate.pipeline.metrics.pixels import Pixels, SharedMetric
from foveate.pipeline.metrics.tables import FigureTable, HasTables
from foveate.plugins.errors import PluginError


@pytest.mark.parametrize("task", MEANT)
def test_all_are_built_and_have_tables_that_survive_a_file(task: str) -> None:
    metrics = create_metrics(expand_metrics(["all"], task), 6, task=task)
    size = (20, 30) if task == "segmentation" else ()
    logits, labels = torch.randn(4, 6, *size), torch.randint(0, 6, (4, *size))
    names = list("abcdef")
    for name, metric in metrics.items():
        assert isinstance(metric, SharedMetric)
        assert isinstance(metric, HasTables)
        metric.update(logits, labels.to(torch.uint8) if size else labels)
        assert metric.compute().ndim == 0, name
        for table in metric.tables(names):
            again = FigureTable.from_json(table.name, table.as_json())
            assert again.as_json() == table.as_json()
            assert all(len(values) == len(table.columns) for _, values in [*table.rows, *table.means])


def test_shared_batches_give_what_batches_of_their_own_give() -> None:
    logits, labels = torch.randn(2, 4, 30, 20), torch.randint(0, 4, (2, 30, 20)).to(torch.uint8)
    pixels = Pixels(logits, labels)
    one, other = (create_metrics(MEANT["segmentation"], 4) for _ in range(2))
    for name, metric in one.items():
        metric.update(logits, labels, pixels)
        other[name].update(logits, labels)
        for state in metric._defaults:
            assert torch.equal(getattr(metric, state), getattr(other[name], state)), (name, state)


def test_all_leaves_out_what_is_named_beside_it() -> None:
    specs = expand_metrics(["all", {"name": "boundary", "distances": [3.0]}], "segmentation")
    assert specs.count("boundary") == 0
    assert len(specs) == len(MEANT["segmentation"])
    assert expand_metrics(["dice"], "segmentation") == ["dice"]


@pytest.mark.parametrize(("name", "task"), [("boundary", "classification"), ("top_k", "segmentation")])
def test_a_metric_of_another_task_is_refused(name: str, task: str) -> None:
    with pytest.raises(ConfigError, match=f"metrics: {name} is for .*, and this recipe is for {task}"):
        create_metrics([name], 3, task=task)


def test_a_wrong_option_is_refused_with_its_reason() -> None:
    with pytest.raises(PluginError, match="sizes are positive numbers in ascending order"):
        create_metrics([{"name": "by_size", "sizes": [9, 4]}], 3)
    with pytest.raises(PluginError, match=r"has no option 'size'.*accepted: sizes"):
        create_metrics([{"name": "by_size", "size": [9]}], 3)
