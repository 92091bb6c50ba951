"""docs/leaderboard.md and the records that come with Foveate: current, consistent, and repeated where the data are."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.cli import main
from foveate.pipeline.leaderboard.checks import check_itself
from foveate.pipeline.leaderboard.protocol import CURRENT, find_protocol
from foveate.pipeline.leaderboard.record import published, read_record, read_records

RECORDS = sorted(published().glob("*/*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_published_record_is_consistent(path: Path) -> None:
    rules = find_protocol(CURRENT)
    record = read_record(path)
    check_itself(record, rules)
    assert record.content["data"]["sha256"] == rules.tracks[record.track].data_sha256
    assert path.parent.name == record.track
    assert path.name.endswith(f"-{record.seed}.json")
    assert path.stat().st_size < 16_000


def test_the_published_page_is_what_show_writes(root: Path, tmp_path: Path) -> None:
    words = ["--records", str(tmp_path / "none"), "--markdown", str(tmp_path / "leaderboard.md")]
    assert main(["leaderboard", "show", *words]) == 0
    assert (tmp_path / "leaderboard.md").read_text() == (root / "docs" / "leaderboard.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("track", list(find_protocol(CURRENT).tracks))
def test_a_published_record_comes_out_again(track: str, shared: Path) -> None:
    own = [one for one in read_records([published()]) if one.track == track and one.block != "triplet"]
    if not own:
        pytest.skip(f"no record of {track} yet")
    assert main(["leaderboard", "check", own[-1].source, "--data", str(shared / "data")]) == 0
