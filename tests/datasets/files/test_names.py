"""Names read from files stay in their folder."""

from __future__ import annotations

import pytest

from foveate.datasets.errors import DataError
from foveate.datasets.files.names import safe_name, safe_path

OUTSIDE = ["../x", "..", ".", "", " ", "/etc/passwd", "a/b", "..\\x", "C:\\x", "C:x", "a\0b", "a\nb", None, 3, ["x"]]


@pytest.mark.parametrize("name", OUTSIDE, ids=repr)
def test_a_name_that_leads_elsewhere_is_refused(name: object) -> None:
    with pytest.raises(DataError, match=r"index.json names .* which is no plain file name"):
        safe_name(name, "index.json")


@pytest.mark.parametrize("name", ["chunk-0-1.bin", "..x", "a..b", ".hidden", "é 日", "ab:c", "\udcff.png"])
def test_a_plain_name_is_given_back(name: str) -> None:
    assert safe_name(name, "index.json") == name == safe_path(name, "index.json")


@pytest.mark.parametrize("path", ["/a", "a//b", "a/../b", "../a", "a/", "a/C:b\\c", "a\\b", 7])
def test_a_path_that_leads_elsewhere_is_refused(path: object) -> None:
    with pytest.raises(DataError, match="names that lead to another folder are refused"):
        safe_path(path, "a chunk")
    assert safe_path("cat/1.png", "a chunk") == "cat/1.png"
