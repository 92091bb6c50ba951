"""Records of a leaderboard: one that was changed anywhere is refused, also with a digest computed again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.leaderboard.agreement import agree
from foveate.pipeline.leaderboard.checks import check_itself
from foveate.pipeline.leaderboard.protocol import parse_protocol
from foveate.pipeline.leaderboard.record import Record, pack, read_record, seal, unpack, write_record
from foveate.tests.pipeline.leaderboard.made import CONTENT, content, protocol, record

Change = Callable[[dict[str, Any]], None]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value."""
    if isinstance(node, dict | list) and node:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    else:
        yield path


def changed(node: Any) -> Any:
    return node + 1 if isinstance(node, int | float) else f"{node}x"


def test_a_record_is_consistent_and_comes_back_from_its_file(tmp_path: Path) -> None:
    written = write_record(tmp_path / "camvid-gate" / "se-0.json", content())
    check_itself(written, protocol())
    again = read_record(tmp_path / "camvid-gate" / "se-0.json")
    assert again.content == written.content
    assert (again.block, again.seed, again.losses) == ("se", 0, [2.5, 2.25, 2.125])


@pytest.mark.parametrize("place", list(leaves(seal(content()))), ids=str)
def test_a_change_of_any_value_is_refused(place: tuple[Any, ...]) -> None:
    tampered = copy.deepcopy(seal(content()))
    node = tampered
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = changed(node[place[-1]])
    with pytest.raises(CheckpointError, match="refused"):
        check_itself(Record(tampered, "x"), protocol())


def score_up(given: dict[str, Any]) -> None:
    given["result"]["score"] += 0.01


def class_up(given: dict[str, Any]) -> None:
    given["result"]["classes"]["car"] += 0.01


def interval_up(given: dict[str, Any]) -> None:
    given["result"]["interval"][0] += 0.01


def confusion_up(given: dict[str, Any]) -> None:
    given["result"]["confusion"][1][1] += 100


def images_up(given: dict[str, Any]) -> None:
    counts = unpack(given["result"]["images"], 9)
    counts[0] += 5
    given["result"]["images"] = pack(counts)


def other_slot(given: dict[str, Any]) -> None:
    given["slot"] = "stage"


def more_steps(given: dict[str, Any]) -> None:
    given["training"]["steps"] = 30


def other_seed(given: dict[str, Any]) -> None:
    given["seed"] = 7


def other_block(given: dict[str, Any]) -> None:
    given["block"]["label"] = "mine"


def no_block(given: dict[str, Any]) -> None:
    given["block"]["spec"] = 5


def fewer_losses(given: dict[str, Any]) -> None:
    given["training"]["losses"] = [2.5]


def no_number(given: dict[str, Any]) -> None:
    given["training"]["losses"][1] = None


def fewer_images(given: dict[str, Any]) -> None:
    given["data"]["samples"]["val"] = 11


def negative(given: dict[str, Any]) -> None:
    given["result"]["confusion"][0][1] = -1


def unreadable(given: dict[str, Any]) -> None:
    given["result"]["images"] = "not packed"


def without_costs(given: dict[str, Any]) -> None:
    del given["costs"]["macs"]


FORGED = {
    score_up: "score: not what follows",
    class_up: "car: not what follows",
    interval_up: "interval: not what follows",
    confusion_up: "do not add up",
    images_up: "do not add up",
    other_slot: "slot is 'stage'",
    more_steps: "steps is 30",
    other_seed: "seed 7",
    other_block: "labelled 'mine'",
    no_block: "no block of a recipe",
    fewer_losses: "1 losses of 3 batches",
    no_number: "not finite",
    fewer_images: "counts of 12 images",
    negative: "confusion matrix",
    unreadable: "not readable",
    without_costs: "lacks costs.macs",
}


@pytest.mark.parametrize("change", FORGED, ids=lambda change: change.__name__)
def test_a_change_is_refused_though_its_digest_was_computed_again(change: Change) -> None:
    tampered = copy.deepcopy(content())
    change(tampered)
    with pytest.raises(CheckpointError, match=FORGED[change]):
        check_itself(Record(seal(tampered), "x"), protocol())


@pytest.mark.parametrize(
    ("label", "spec"),
    [("lka(kernel=7)", {"name": "lka", "kernel": 7}), ("se+lka(kernel=7)", ["se", {"name": "lka", "kernel": 7}])],
)
def test_blocks_with_options_and_stacks_have_records_too(label: str, spec: Any) -> None:
    given = content()
    given["block"] |= {"label": label, "spec": spec}
    check_itself(Record(seal(given), "x"), protocol())


def test_a_record_of_another_protocol_is_refused() -> None:
    other = content()
    other["protocol"]["sha256"] = "1" * 64
    with pytest.raises(ConfigError, match="made by protocol tiny"):
        check_itself(Record(seal(other), "x"), protocol())


def test_a_changed_track_leaves_the_records_of_others_valid() -> None:
    recipe, track = CONTENT["recipes"]["camvid"], CONTENT["tracks"]["camvid-gate"]
    recipes = {"camvid": recipe, "other": {**recipe, "steps": 9}}
    more = {
        **CONTENT,
        "recipes": recipes,
        "tracks": {"camvid-gate": track, "more": {"recipe": "other", "slot": "gate"}},
    }
    check_itself(record(), parse_protocol(more, "tiny"))
    check_itself(record(), parse_protocol({**more, "seeds": 5}, "tiny"))
    for change in ({"recipes": {"camvid": {**recipe, "steps": 9}}}, {"version": "2"}):
        with pytest.raises(ConfigError, match="made by protocol tiny"):
            check_itself(record(), parse_protocol({**CONTENT, **change}, "tiny"))


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"format": 99}', "{" * 10_000])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"x\.json"):
        read_record(tmp_path / "x.json")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"format": 1, "filler": "x" * 1_000_001}))
    with pytest.raises(CheckpointError, match="too many for a record"):
        read_record(tmp_path / "x.json")


def test_two_records_agree_within_the_bounds() -> None:
    theirs = content()
    theirs["training"]["losses"] = [2.501, 2.2501, 5.0]  # the third is not replayed
    assert "agree" in agree(record(), Record(seal(theirs), "y"), protocol())


def test_two_records_do_not_agree_beyond_the_bounds() -> None:
    theirs = content()
    theirs["training"]["losses"][1] *= 1.002
    with pytest.raises(CheckpointError, match="the loss of step 2"):
        agree(record(), Record(seal(theirs), "y"), protocol())
    better = record(right=0.9)
    with pytest.raises(CheckpointError, match="the bound is 4 points"):
        agree(record(), better, protocol())


def test_records_of_different_trainings_are_not_compared() -> None:
    with pytest.raises(ConfigError, match="seed is 1"):
        agree(record(), record(seed=1), protocol())
