"""`foveate data pack` and `foveate data shard`: images in a form that is read faster, or streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.progress import bars
from foveate.pipeline.answering import answer

AUTO = "auto"
Figures = dict[str, Any]
Flags = Sequence[str]  # the recipe's flags in a command line, which `run_function` sets apart


def pack(
    target: str,
    dataset: str = AUTO,
    cache_dir: str | None = None,
    labels: str | None = None,
    ignore: int | list[int] | None = None,
    json: str | None = None,
    flags: Flags = (),
) -> None:
    """Decode the train and val images of a data set once, for --data.cache packed. An interrupted run is continued.

    What is packed already is checked, and packed again if it is damaged.

    Example: foveate data pack ~/cityscapes

    Args:
        target: The data set's folder, or a recipe.
        dataset: Which data set it is; auto finds it by the folders. Only images with label maps are packed.
        cache_dir: Folder to write to; .foveate in the root if not given. Give the same as --data.cache_dir.
        labels: Which label files of Cityscapes to read. Give the same as --data.labels.
        ignore: Ids in the label files that are ignored. Give the same as --data.ignore.
        json: File for what was packed, or - for standard output, also without a value.
        flags: Not given by name: the data set's options as in a training, --data.KEY VALUE.
    """
    given = {"labels": labels, "ignore": ignore, "cache_dir": cache_dir}
    answer(json, lambda: _pack(target, dataset, given, flags))


def _pack(target: str, dataset: str, given: dict[str, Any], flags: Flags) -> Figures:
    from foveate.datasets.packed.folder import repack_damaged
    from foveate.datasets.segmentation import SegmentationDataModule
    from foveate.pipeline.commands.open_data import open_named

    data = open_named(target, dataset, given, flags)
    if not isinstance(data, SegmentationDataModule):
        raise DataConfigError(
            f"{target} has class folders: only images with label maps are packed; for many images: foveate data shard"
        )
    splits: Figures = {}
    for split in ("train", "val"):
        pairs = data.pairs_of(split)
        packed = data.pack(split, pairs)
        repaired = repack_damaged(packed, pairs, split)
        again = f", {repaired} of them packed again since they were damaged" if repaired else ""
        print(f"{split}: {len(pairs)} images in {packed.folder}{again}")
        splits[split] = {"images": len(pairs), "folder": str(packed.folder), "packed_again": repaired}
    return {"splits": splits}


def shard(source: str, out: str, size_mb: int = 64, json: str | None = None) -> None:
    """Pack folders of images into shards that can be streamed. An interrupted run is continued.

    Example: foveate data shard ~/imagenet ~/imagenet-shards

    Args:
        source: Folder with train/CLASS/*.jpg and val/CLASS/*.jpg, or one split of it.
        out: Folder to write to: empty, or of an interrupted run.
        size_mb: Size of a shard in megabytes (10^6 bytes).
        json: File for what was written, or - for standard output, also without a value.
    """
    if not 0 < size_mb <= 4000:
        raise DataConfigError(f"a shard has 1 to 4000 megabytes, not {size_mb}")

    def write() -> Figures:
        counts = _shard(Path(source).expanduser(), Path(out).expanduser(), size_mb * 1_000_000)
        print(f"{', '.join(f'{count} {split}' for split, count in counts.items())} images in shards in {out}")
        return {"folder": out, "images": dict(counts)}

    answer(json, write)


def _shard(source: Path, out: Path, shard_bytes: int) -> Mapping[str, int]:
    from foveate.datasets.shards.writing import write_shards

    with bars() as progress:
        try:
            return write_shards(source, out, shard_bytes=shard_bytes, progress=progress)
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error}") from error
