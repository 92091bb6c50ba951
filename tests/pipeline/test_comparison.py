"""Comparisons of blocks: what is shared, what is counted, what is kept."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

from foveate.datasets.labels import LabelSet
from foveate.pipeline.command_line import split_flags
from foveate.pipeline.comparison.bootstrap import accuracy, bootstrap, draw_scores, interval, mean_iou
from foveate.pipeline.comparison.entries import parse_entries
from foveate.pipeline.comparison.measures import Measures, are_current
from foveate.pipeline.comparison.page import write_report
from foveate.pipeline.comparison.result import Cell, read_cell, write_cell
from foveate.pipeline.comparison.study import draw_shared, share_weights
from foveate.pipeline.comparison.table import Row, cells_of, headings, lines_of, score_row
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.measuring.costs import count_macs, count_parameters
from foveate.pipeline.measuring.receptive_field import effective_map, effective_reach, theoretical_reach
from foveate.pipeline.measuring.timing import Times, time_in_turn
from foveate.pipeline.measuring.training_step import Clipping, create_step
from foveate.pipeline.metrics.confusion import count_confusion, score
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.segmentation import SegmentationTask
from foveate.plugins.errors import PluginConfigError

TWO = LabelSet(name="two", names=("a", "b"), colours=((0, 0, 0), (1, 1, 1)), ids=(0, 1))


class Convolutions(nn.Module):
    """Features of a stack of 3 x 3 convolutions, optionally with a look at the whole map."""

    def __init__(self, depth: int, *, whole: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(depth)))
        self.whole = whole

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.layers(image)
        return (x + x.mean((2, 3), keepdim=True),) if self.whole else (x,)


def test_blocks_are_read_with_their_options() -> None:
    entries = parse_entries("none, se,{name: lka, kernel: 35, dilation: 2}", ["gate"])
    assert [entry.label for entry in entries] == ["none", "se", "lka(kernel=35,dilation=2)"]
    assert entries[2].spec == {"name": "lka", "kernel": 35, "dilation": 2}
    assert entries[2].folder == "lka_kernel_35_dilation_2"


@pytest.mark.parametrize("text", ["", " , ", "se,se", "{name: se"])
def test_a_list_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--blocks"):
        parse_entries(text, ["gate"])


def test_a_block_that_is_not_installed_is_the_users_mistake() -> None:
    with pytest.raises(PluginConfigError, match="did you mean 'cbam'"):
        parse_entries("none,cbma", ["gate"])


def test_values_of_options_make_a_grid_and_blocks_a_stack() -> None:
    text = "lka(kernel=7|35,dilation=2|3), {name: se, reduction: 4|8},se+eca,[cbam, lka(kernel=7)]"
    entries = parse_entries(text, ["gate"])
    assert [entry.label for entry in entries] == [
        *(f"lka(kernel={kernel},dilation={dilation})" for kernel in (7, 35) for dilation in (2, 3)),
        *("se(reduction=4)", "se(reduction=8)", "se+eca", "cbam+lka(kernel=7)"),
    ]
    assert entries[1].spec == {"name": "lka", "kernel": 7, "dilation": 3}
    assert entries[-1].spec == ["cbam", {"name": "lka", "kernel": 7}]


def test_several_slots_are_compared_with_the_recipe_as_it_is() -> None:
    entries = parse_entries("se,lka(kernel=7)", ["gate", "stage@4"])
    assert [(entry.label, entry.slot) for entry in entries] == [
        ("recipe", ""),
        ("gate: se", "gate"),
        ("gate: lka(kernel=7)", "gate"),
        ("stage@4: se", "stage@4"),
        ("stage@4: lka(kernel=7)", "stage@4"),
    ]
    assert len({entry.folder for entry in entries}) == 5


@pytest.mark.parametrize("text", ["lka(kernel)", "lka(=7)", "lka(kernel=)"])
def test_options_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not readable: "):
        parse_entries(text, ["gate"])


def test_flags_of_the_recipe_go_to_the_recipe() -> None:
    words = ["r", "--blocks", "se", "--data.root", "x", "--model.loss=dice", "--steps", "5"]
    assert split_flags(words) == (["--data.root", "x", "--model.loss=dice"], ["r", "--blocks", "se", "--steps", "5"])


EMPTY = {"gate": "none"}


def task(block: str) -> SegmentationTask:
    torch.manual_seed(hash(block) % 1000)  # whatever came before
    return SegmentationTask("segnext_t", attention={"gate": block}, labels=TWO)


def test_networks_that_differ_in_the_slot_start_the_same_elsewhere() -> None:
    tasks = [task("se"), task("msca")]
    for one in tasks:
        share_weights(one, draw_shared(one, EMPTY, 3), seed=3)
    ours, theirs = (one.network.state_dict() for one in tasks)
    shared = [name for name in ours if "spatial_gating_unit" not in name]
    assert len(shared) > 200
    assert all(torch.equal(ours[name], theirs[name]) for name in shared)


def test_two_seeds_start_differently() -> None:
    one, two = task("se"), task("se")
    share_weights(one, draw_shared(one, EMPTY, 3), seed=3)
    share_weights(two, draw_shared(two, EMPTY, 4), seed=4)
    assert not torch.equal(next(one.network.parameters()), next(two.network.parameters()))


def counts_of(predicted: torch.Tensor, wanted: torch.Tensor, classes: int) -> np.ndarray:
    rows = []
    for ours, theirs in zip(predicted, wanted, strict=True):
        confusion = count_confusion(ours, theirs, classes)
        rows.append(torch.cat([confusion.diagonal(), confusion.sum(1), confusion.sum(0)]))
    return torch.stack(rows).double().numpy()


def test_scores_of_counts_are_those_of_the_confusion_matrix() -> None:
    predicted, wanted = torch.randint(0, 4, (6, 9, 9)), torch.randint(0, 5, (6, 9, 9))
    wanted[wanted == 4] = 255
    predicted[predicted == 3] = 2
    whole = score(count_confusion(predicted, wanted, 4))
    counts = counts_of(predicted, wanted, 4)
    assert mean_iou(counts.sum(0)) == pytest.approx(whole.miou, abs=1e-6)
    assert accuracy(counts.sum(0)) == pytest.approx(whole.aacc, abs=1e-6)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        right = (random.random(100) < 0.7).astype(float)
        counts = np.stack([right, np.ones(100), np.ones(100)], axis=1)
        low, high = interval(bootstrap([counts], "accuracy", draws=400))
        held += low <= 0.7 <= high
    assert 180 <= held <= 198


def test_the_same_images_are_drawn_for_two_blocks() -> None:
    random = np.random.default_rng(2)
    hard = (random.random(200) < 0.5).astype(float)  # images differ far more than blocks do
    ours, theirs = (
        np.stack([right, np.ones(200), np.ones(200)], axis=1) for right in (hard, np.maximum(hard - 0.01, 0))
    )
    low, high = interval(bootstrap([ours], "accuracy") - bootstrap([theirs], "accuracy"))
    assert 0 < low < 0.005 < high < 0.01


@pytest.mark.parametrize("depth", [1, 4])
def test_the_theoretical_reach_of_convolutions_is_known(depth: int) -> None:
    assert theoretical_reach(Convolutions(depth), limit=64) == 2 * depth + 1


def test_a_look_at_the_whole_map_reaches_beyond_any_limit() -> None:
    assert theoretical_reach(Convolutions(2, whole=True), limit=1024) is None


class Averaged(nn.Module):
    """One feature: the average over 7 x 7."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (nn.functional.avg_pool2d(image, 7, 1, 3),)


def test_the_effective_reach_of_an_average_is_its_side() -> None:
    strength = effective_map(Averaged(), torch.randn(2, 3, 31, 31))
    assert strength.shape == (31, 31)
    assert effective_reach(strength) == pytest.approx(7)


def test_costs_of_a_convolution_are_those_on_paper() -> None:
    convolution = nn.Conv2d(3, 8, 3, padding=1)
    assert count_parameters(convolution) == 8 * 3 * 9 + 8
    assert count_macs(convolution, torch.randn(4, 3, 10, 12)) == 8 * 3 * 9 * 10 * 12


def test_times_are_taken_in_turn_and_compared_round_by_round() -> None:
    order: list[str] = []
    times = time_in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, warm_up=1)
    assert order == ["a", "b"] * 4
    assert times["a"].ratio == pytest.approx(1)


def cell(right: float) -> Cell:
    wins = np.arange(20) < 20 * right
    counts = np.stack([wins, np.ones(20), np.ones(20)], axis=1).astype(np.float64)
    return Cell(counts, np.linspace(2, 1, 30, dtype=np.float32), np.eye(16, dtype=np.float32), 2.5)


def test_a_result_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    write_cell(tmp_path / "result.npz", cell(0.5))
    kept = read_cell(tmp_path / "result.npz")
    assert kept is not None
    assert np.array_equal(kept.counts, cell(0.5).counts)
    assert kept.seconds == 2.5
    assert [file.name for file in tmp_path.iterdir()] == ["result.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short"])
def test_a_damaged_result_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.npz").write_bytes(content)
    assert read_cell(tmp_path / "result.npz") is None


def test_a_result_of_an_earlier_version_has_no_distilled_start(tmp_path: Path) -> None:
    now = cell(0.5)
    np.savez(tmp_path / "result.npz", counts=now.counts, losses=now.losses, reach=now.reach, seconds=3.0)
    kept = read_cell(tmp_path / "result.npz")
    assert kept is not None
    assert math.isnan(kept.distilling)
    assert kept.cost == kept.seconds == 3


def test_the_start_has_columns_only_where_there_was_one() -> None:
    plain = Row("none", "", None, {0: cell(0.5)})
    started = Row("se", "", None, {seed: replace(cell(0.5), similarity=0.5, distilling=10.0 * seed) for seed in (1, 2)})
    assert "start s" not in headings("accuracy", [plain])
    assert headings("accuracy", [plain, started])[-2:] == ["start similarity", "start s"]
    assert [line[-2:] for line in lines_of([plain, started], "accuracy")] == [["-", "-"], ["0.500", "15"]]
    assert len(lines_of([plain], "accuracy")[0]) == len(headings("accuracy", [plain]))


def rows() -> list[Row]:
    times = Times(0.1, (0.09, 0.11), 1.5, (1.4, 1.6))
    costs = Measures(1_000_000, 2_000_000, times, times, 2**20, 65, 8192)
    return [
        Row("none", "", costs, {0: cell(0.5), 1: cell(0.6)}),
        Row("se", "", costs, {0: cell(0.7), 1: cell(0.8)}),
        Row("bad<|>", "PluginError: it breaks", None, {}),
    ]


def test_the_gain_is_the_mean_difference_over_the_seeds() -> None:
    first, second, _ = rows()
    result = score_row(second, first, "accuracy")
    assert result is not None
    assert result.mean == pytest.approx(0.75)
    assert result.gain == pytest.approx(0.2)
    assert result.gain_low < 0.2 < result.gain_high
    assert result.seeds == pytest.approx([0.7, 0.8])


def test_the_first_row_has_no_gain_and_one_seed_no_range() -> None:
    first, second, _ = rows()
    assert cells_of(first, first, "accuracy")[2] == "-"
    alone = Row("se", "", second.measures, {0: cell(0.7)})
    assert cells_of(alone, first, "accuracy")[4] == "one"


def test_beside_a_first_row_that_failed_there_is_no_gain() -> None:
    _, second, failed = rows()
    assert cells_of(second, failed, "accuracy")[2] == "-"


def test_the_report_holds_every_block_and_says_why_one_failed(tmp_path: Path) -> None:
    files = write_report(tmp_path, "Blocks", ["5 steps."], rows(), "accuracy")
    assert [file.name for file in files] == ["comparison.md", "comparison.csv", "comparison.tex", "comparison.html"]
    text, table, latex, page = (file.read_text() for file in files)
    assert latex.startswith(r"\begin{tabular}{lrrrrr}")
    assert r"accuracy \% (95 \%)" in latex
    assert "| se |" in text
    assert "it breaks" in text
    assert table.count("\n") == 4
    assert "bad&lt;|&gt;" in page
    assert page.count("<img") == 4
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing is fetched


def test_measures_survive_their_file() -> None:
    costs = rows()[0].measures
    assert costs is not None
    assert Measures.from_values(costs.as_values()) == costs
    assert not math.isnan(costs.step.ratio)


def test_figures_of_an_older_way_of_measuring_are_not_kept() -> None:
    costs = rows()[0].measures
    assert costs is not None
    values = costs.as_values()
    assert are_current(values, 8192)
    assert not are_current(values, 512)
    assert not are_current({key: value for key, value in values.items() if key != "method"}, 8192)


def test_images_are_drawn_once_for_each_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def draw(counts: np.ndarray, score: str) -> np.ndarray:
        drawn.append(len(counts))
        return draw_scores(counts, score)

    monkeypatch.setattr("foveate.pipeline.comparison.result.draw_scores", draw)
    both = rows()
    for _ in range(3):
        write_report(tmp_path, "Blocks", [], both, "accuracy")
    assert len(drawn) == 4  # two blocks with two seeds


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_timed_step_is_the_recipes(precision: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    one = SegmentationTask("mobilenet_v2_035+light_ham", labels=TWO, optimizer=OptimizerConfig(name="sgd"))
    seen: list[object] = []
    loss = one.compute_loss

    def compute_loss(batch: object) -> torch.Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return loss(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(one, "compute_loss", compute_loss)
    monkeypatch.setattr(SGD, "step", lambda self, *args: seen.append(self.param_groups[0]["lr"]))
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda parameters, limit: seen.append(limit))
    batch = {"image": torch.zeros(2, 3, 32, 32, dtype=torch.uint8), "mask": torch.zeros(2, 32, 32, dtype=torch.uint8)}
    half = precision == torch.bfloat16
    create_step(one, batch, lambda: torch.autocast("cpu", precision, enabled=half), Clipping(1.5))()
    assert seen == [half, 1.5, 0.0]
