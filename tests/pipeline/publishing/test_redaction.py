"""What is published holds no secrets and no local paths, and loses nothing else."""

from __future__ import annotations

import pytest

from foveate.pipeline.publishing.redaction import redact, redact_text


@pytest.mark.parametrize(
    "secret",
    [
        "hf_AbCdEfGhIjKlMnOpQrStUvWx",
        "ghp_AbCdEfGhIjKlMnOpQrStUvWx12",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-proj-AbCdEfGhIjKlMnOpQrSt",
    ],
)
def test_a_secret_in_a_text_is_removed(secret: str) -> None:
    assert redact_text(f"uploaded with {secret} to the store") == "uploaded with (removed) to the store"


def test_passwords_and_signatures_of_addresses_are_removed() -> None:
    assert redact_text("https://jane:pass@example.com/a.pth") == "https://(removed)@example.com/a.pth"
    assert redact_text("https://example.com/a.pth?sig=abc&x=1") == "https://example.com/a.pth?(removed)&x=1"


def test_a_secret_of_the_environment_is_removed_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "plain-words-secret")
    monkeypatch.setenv("MY_SERVICE_REGION", "europe-west")
    assert redact({"note": "xplain-words-secretx europe-west"}) == {"note": "x(removed)x europe-west"}


def test_entries_named_as_secrets_are_left_out_and_others_kept() -> None:
    given = {"api_key": "a", "password": "b", "pool": "token", "tokens": 5, "cls_token": True, "author": "c"}
    assert redact({"x": [given]}) == {"x": [{"pool": "token", "tokens": 5, "cls_token": True, "author": "c"}]}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/home/jane/data/camvid", "camvid"),
        ("~/data/camvid", "camvid"),
        ("C:\\Users\\jane\\camvid", "camvid"),
        ("/home/jane doe/my data/camvid", "camvid"),
        ("/data", "data"),
        ("data/camvid", "data/camvid"),
        ("--data.root=/home/jane/camvid", "--data.root=camvid"),
        ("CityscapesDataModule /home/jane/scenes, 16 images", "CityscapesDataModule scenes, 16 images"),
        ("hf://owner/repo/file.pth", "hf://owner/repo/file.pth"),
        ("https://example.com/a/b", "https://example.com/a/b"),
        ("7 / 11 and 3/4, a or/and b", "7 / 11 and 3/4, a or/and b"),
        ("foveate.pipeline.segmentation.SegmentationTask", "foveate.pipeline.segmentation.SegmentationTask"),
    ],
)
def test_absolute_paths_are_cut_to_their_last_part(path: str, left: str) -> None:
    assert redact_text(path) == left


def test_numbers_and_structure_stay() -> None:
    given = {"lr": 1e-3, "crop": [512, 1024], "flip": None, "on": True, "nested": {"a": ["b"]}}
    assert redact(given) == given
