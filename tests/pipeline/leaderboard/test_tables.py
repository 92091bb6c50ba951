"""The tables of a leaderboard: ranks, gains, what is known, and the files that show them."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from foveate.pipeline.leaderboard.badge import render_badge
from foveate.pipeline.leaderboard.document import render_document
from foveate.pipeline.leaderboard.page import render_leaderboard
from foveate.pipeline.leaderboard.protocol import parse_protocol
from foveate.pipeline.leaderboard.record import Record, write_record
from foveate.pipeline.leaderboard.showing import show_tables
from foveate.pipeline.leaderboard.standings import Table, gain_over_images, make_tables
from foveate.tests.pipeline.leaderboard.made import CONTENT, content, protocol, record, write_protocol


def records() -> list[Record]:
    made = [record("none", seed, 0.4) for seed in (0, 1)]
    made += [record("se", seed, 0.9) for seed in (0, 1)]
    return [*made, record("eca", 0, 0.1)]


@pytest.fixture(scope="module")
def table() -> Table:
    return make_tables(protocol(), records())[0]


def test_the_best_block_stands_first(table: Table) -> None:
    assert [one.label for one in table.standings] == ["se", "none", "eca"]
    assert table.standings[0].mean > table.standings[1].mean


def test_the_gain_is_over_the_common_seeds(table: Table) -> None:
    found = {one.label: gain_over_images(one) for one in table.standings}
    assert found["none"] is None
    assert found["se"] is not None
    assert found["eca"] is not None
    assert found["se"][1] > 0 > found["eca"][2]
    none, eca = table.standings[1].records[0], table.standings[2].records[0]
    assert found["eca"][0] == pytest.approx(eca.score - none.score)


def test_a_seed_that_others_lack_does_not_lift_a_block() -> None:
    records = [record("none", 0, 0.5), record("se", 0, 0.6), record("eca", 0, 0.6), record("eca", 1, 0.99)]
    (table,) = make_tables(protocol(), records)
    assert [one.label for one in table.standings] == ["se", "none", "eca"]
    assert table.standings[2].mean > table.standings[0].mean


def test_missing_trainings_are_named(table: Table) -> None:
    assert table.missing == ["seed 1 of eca"]


def test_blocks_that_should_have_records_and_have_none_are_named() -> None:
    (table,) = make_tables(protocol(), records(), expected=["none", "lka", "gc"])
    assert table.missing == ["every seed of lka, gc", "seed 1 of eca"]
    assert "5 of 10 records of 5 blocks" in render_document(protocol(), [table])


def test_a_class_that_is_never_found_has_a_figure_and_one_that_does_not_occur_has_none() -> None:
    made = record("none")
    made.content["result"]["classes"] |= {"car": 0.0, "sky": None}
    (standing,) = make_tables(protocol(), [made])[0].standings
    assert standing.mean_of_class("car") == 0
    assert math.isnan(standing.mean_of_class("sky"))


def test_one_seed_is_not_called_known(table: Table) -> None:
    assert str(table.verdicts["eca"].known) == "not known"


def test_records_of_other_data_have_a_table_of_their_own() -> None:
    recipes = {"camvid": {**CONTENT["recipes"]["camvid"], "data_sha256": "0" * 64}}
    rules = parse_protocol({**CONTENT, "recipes": recipes}, "strict")
    other = content("eca")
    other["data"]["sha256"] = "5" * 64
    tables = make_tables(rules, [record("none"), record("se"), Record(other)])
    assert [table.name for table in tables] == ["camvid-gate", "camvid-gate, other data (55555555)"]
    assert [[one.label for one in table.standings] for table in tables] == [["none", "se"], ["eca"]]


def test_without_records_of_none_nothing_is_gained() -> None:
    (alone,) = make_tables(protocol(), [record("se")])[0].standings
    assert gain_over_images(alone) is None


def test_the_document_names_every_block_and_what_is_missing(table: Table) -> None:
    text = render_document(protocol(), [table])
    assert "5 of 6 records of 3 blocks. The others are missing" in text
    assert "Missing: seed 1 of eca." in text
    assert text.count("| se |") == 2  # its table, and that of the classes


def test_the_page_is_one_file_with_buttons_that_sort(table: Table) -> None:
    text = render_leaderboard(protocol(), [table])
    assert text.count('<button type="button">') == 10 + 4
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "&gt; 1024" in text


def test_show_leaves_out_a_tampered_record_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "lb" / "camvid-gate"
    for block in ("none", "se"):
        write_record(folder / f"{block}-0.json", content(block))
    file = folder / "se-0.json"
    file.write_text(file.read_text().replace('"step_ratio": 1.25', '"step_ratio": 1.05'))
    said = list(show_tables(str(write_protocol(tmp_path)), tmp_path / "lb", None, None, published=False))
    assert "left out" in said[0]
    assert "digest" in said[0]
    assert "1 of 2 records of 1 blocks" in said[1]


def test_a_badge_is_a_picture_whose_texts_are_escaped() -> None:
    picture = ElementTree.fromstring(render_badge("a<b&c", "gate +1.2", "better"))
    texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a<b&c", "gate +1.2"]
