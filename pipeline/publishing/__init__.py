"""Publishes a trained model, on the Hugging Face Hub or in a folder, and fetches it again."""

from __future__ import annotations

from foveate.pipeline.publishing.bundle import write_bundle
from foveate.pipeline.publishing.fetch import fetch
from foveate.pipeline.publishing.upload import is_folder, upload

__all__ = ["fetch", "is_folder", "upload", "write_bundle"]
