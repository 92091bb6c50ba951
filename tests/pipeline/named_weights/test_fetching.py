"""Weights by name come from a server, are verified, and stay; here the server is on the loopback interface."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file

from foveate.cli import main
from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models import conv_attention
from foveate.pipeline.named_weights import download, fetching
from foveate.pipeline.named_weights.table import WEIGHTS, Published
from foveate.pipeline.weights import load_weights
from foveate.pipeline.weights.sources import open_source
from foveate.pipeline.weights.variants import encoder_shapes
from foveate.tests.pipeline.named_weights.server import Server, failing, serving, whole

CONTENT = save({"a": torch.arange(1000)})
DIGITS = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOVEATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(fetching, "download_file", lambda *given: download.download_file(*given, pause=waited.append))
    return waited


def published(server: Server, sha256: str = DIGITS[:8]) -> dict[str, Published]:
    return {"mine": Published(address=server.address, file="w.safetensors", sha256=sha256, layout="any")}


def test_a_file_is_fetched_once(server: Server, cache: Path) -> None:
    server.answers = [whole(CONTENT)]
    for _ in range(2):
        assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert sorted(path.name for path in cache.iterdir()) == ["w.safetensors", "w.safetensors.lock"]


def test_a_broken_download_goes_on_where_it_stopped(server: Server, pauses: list[float]) -> None:
    server.answers = [whole(CONTENT, sent=1000), whole(CONTENT, sent=500), whole(CONTENT)]
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == [None, "bytes=1000-", "bytes=1500-"]
    assert pauses == [1.0, 3.0]


def test_what_an_earlier_command_left_is_kept(server: Server, cache: Path, pauses: list[float]) -> None:
    server.answers = [whole(CONTENT, sent=100)]
    with pytest.raises(CheckpointError, match=rf"ended after 300 of {len(CONTENT)} bytes"):
        fetching.fetch("mine", published(server))
    assert not (cache / "w.safetensors").exists()
    server.answers = [whole(CONTENT)]
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT
    assert server.asked[-1]["Range"] == "bytes=300-"


@pytest.mark.parametrize("other", [whole(CONTENT, ranges=False), whole(CONTENT, etag='"2"')], ids=["none", "changed"])
def test_a_server_that_cannot_go_on_sends_all(server: Server, pauses: list[float], other: object) -> None:
    server.answers = [whole(CONTENT[::-1], sent=50), other]  # type: ignore[list-item]
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT


def test_what_was_left_of_another_file_is_dropped(server: Server, cache: Path, pauses: list[float]) -> None:
    cache.mkdir(parents=True)
    (cache / "w.safetensors.part").write_bytes(b"\0" * 200)
    server.answers = [whole(CONTENT)]
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == ["bytes=200-", None]


def test_more_than_there_is_starts_again(server: Server, cache: Path, pauses: list[float]) -> None:
    cache.mkdir(parents=True)
    (cache / "w.safetensors.part").write_bytes(b"\0" * (len(CONTENT) + 5))
    server.answers = [failing(416), whole(CONTENT)]
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT


def test_another_file_is_refused(server: Server, cache: Path) -> None:
    server.answers = [whole(CONTENT[::-1])]
    with pytest.raises(CheckpointError, match=rf"its SHA-256 begins with \w{{8}}, not {DIGITS[:8]}; get http"):
        fetching.fetch("mine", published(server))
    assert [path.name for path in cache.iterdir()] == ["w.safetensors.lock"]
    assert len(server.asked) == 1


def test_a_file_without_a_known_checksum_is_taken(server: Server) -> None:
    server.answers = [whole(CONTENT[::-1])]
    assert fetching.fetch("mine", published(server, "")).read_bytes() == CONTENT[::-1]


def test_a_file_that_is_not_there_is_asked_for_once(server: Server, cache: Path, pauses: list[float]) -> None:
    server.answers = [failing(404)]
    with pytest.raises(CheckpointError, match="the server answers 404 Not Found") as caught:
        fetching.fetch("mine", published(server))
    told = f"get {server.address} by hand and put it at {cache / 'w.safetensors'}, or give a file of yours"
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (len(server.asked), pauses) == (1, [])


def test_an_error_of_the_server_is_tried_again(server: Server, pauses: list[float]) -> None:
    server.answers = [failing(500), failing(503), whole(CONTENT)]
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT
    assert pauses == [1.0, 3.0]


def test_a_server_that_keeps_failing_is_given_up(server: Server, pauses: list[float]) -> None:
    server.answers = [failing(500)]
    with pytest.raises(CheckpointError, match="the server answers 500"):
        fetching.fetch("mine", published(server))
    assert len(server.asked) == 3


def test_without_network_the_message_says_what_to_put_where(cache: Path, pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/w.pth"
        table = {"mine": Published(address=address, file="w.pth", layout="any")}
        with pytest.raises(CheckpointError, match="no connection") as caught:
            fetching.fetch("mine", table)
    assert f"get {address} by hand and put it at {cache / 'w.pth'}" in str(caught.value)
    assert str(caught.value).count(address) == 1
    assert pauses == []


def test_a_file_put_there_by_hand_is_taken_and_verified(server: Server, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "w.safetensors").write_bytes(CONTENT)
    assert fetching.fetch("mine", published(server)).read_bytes() == CONTENT
    (cache / "w.safetensors").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="not the file that was published"):
        fetching.fetch("mine", published(server))
    assert server.asked == []


def test_names_are_those_of_networks_and_addresses_are_secure() -> None:
    assert set(WEIGHTS) <= set(encoder_shapes())
    assert all(one.address.startswith("https://") and one.licence for one in WEIGHTS.values())
    assert len({one.file for one in WEIGHTS.values()}) == len(WEIGHTS)
    assert all(one.sha256 in one.file for one in WEIGHTS.values())


def test_weights_by_name_load_with_their_mean(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = conv_attention.create_encoder("van_b0")
    save_file({f"encoder.{name}": value for name, value in encoder.state_dict().items()}, tmp_path / "w.safetensors")
    server.answers = [whole((tmp_path / "w.safetensors").read_bytes())]
    half = {"mean": "[127.5, 127.5, 127.5]", "std": "[127.5, 127.5, 127.5]"}
    entry = Published(address=server.address, file="van.safetensors", layout="ours", metadata=half)
    monkeypatch.setitem(WEIGHTS, "van_b0", entry)
    report = load_weights(conv_attention.create_encoder("van_b0"), "van_b0", part="encoder")
    assert (report.source, report.coverage) == ("van_b0", 1)
    assert report.statistics == ((127.5,) * 3, (127.5,) * 3)


def test_a_file_of_the_same_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mscan_t").write_bytes(CONTENT)
    assert list(open_source("mscan_t").state) == ["a"]


def test_a_misspelt_name_gets_a_hint() -> None:
    with pytest.raises(CheckpointError, match="no weights of that name; did you mean 'mscan_t'"):
        open_source("mscan_tt")


def test_the_commands(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WEIGHTS, "van_b0", published(server)["mine"])
    server.answers = [whole(CONTENT)]
    assert main(["weights", "fetch", "van_b0"]) == 0
    assert capsys.readouterr().out.strip() == str(cache / "w.safetensors")
    assert main(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in WEIGHTS)
    assert "119e8c9f" in listed
    assert "unverified" in listed
    assert str(cache / "w.safetensors") in listed
    assert main(["weights", "fetch", "van_bo"]) == 2
    assert "did you mean 'van_b" in capsys.readouterr().err


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOVEATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert fetching.cached_file("mscan_t").parent == tmp_path / "xdg" / "foveate" / "weights"
