"""Small data sets of Hugging Face in every form, written as its library writes them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.tests.datasets.drawn_masks import SIZE, drawing

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed (foveate[hub])")
pq = pytest.importorskip("pyarrow.parquet")
CELL = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NAMES = ["ground", "car", "tree"]
IMAGE, CLASS = {"_type": "Image"}, {"_type": "ClassLabel", "names": NAMES}


def encoded(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="PNG")
    return file.getvalue()


def picture(split: str, number: int) -> np.ndarray:
    return np.random.default_rng([len(split), number]).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def mask_table(split: str, count: int) -> Any:
    """Images with label maps, and the description of the columns that Hugging Face's library adds."""
    cells = [{"bytes": encoded(picture(split, n)), "path": f"{split}-{n}.png"} for n in range(count)]
    masks = [{"bytes": encoded(drawing(n)), "path": None} for n in range(count)]
    columns = {"id": pa.array(range(count)), "image": pa.array(cells, CELL), "annotation": pa.array(masks, CELL)}
    return described(pa.table(columns), {"image": IMAGE, "annotation": IMAGE})


def class_table(split: str, count: int) -> Any:
    """Images with numbers of classes."""
    cells = [{"bytes": encoded(picture(split, n)), "path": f"{split}-{n}.png"} for n in range(count)]
    columns = {"img": pa.array(cells, CELL), "label": pa.array([n % 3 for n in range(count)])}
    return described(pa.table(columns), {"img": IMAGE, "label": CLASS})


def described(table: Any, features: Mapping[str, Any]) -> Any:
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(root: Path, tables: Mapping[str, Any]) -> None:
    """As push_to_hub: data/SPLIT-00000-of-00002.parquet, two files for train."""
    (root / "data").mkdir(parents=True)
    for split, table in tables.items():
        parts = [table.slice(0, 3), table.slice(3)] if split == "train" else [table]
        for number, part in enumerate(parts):
            pq.write_table(part, root / f"data/{split}-{number:05d}-of-{len(parts):05d}.parquet", row_group_size=2)


def write_saved(root: Path, tables: Mapping[str, Any]) -> None:
    """As save_to_disk: a stream of Arrow in a folder for each split, and beside it the copy of later work."""
    for split, table in tables.items():
        folder, name = root / split, "data-00000-of-00001.arrow"
        folder.mkdir(parents=True)
        for file in (name, "cache-0123456789abcdef.arrow"):
            with pa.ipc.new_stream(str(folder / file), table.schema) as stream:
                stream.write_table(table, max_chunksize=2)
        (folder / "state.json").write_text(json.dumps({"_split": split, "_data_files": [{"filename": name}]}))
    (root / "dataset_dict.json").write_text(json.dumps({"splits": list(tables)}))


def write_arrow_files(root: Path, tables: Mapping[str, Any]) -> None:
    """Arrow files with an index, named NAME-SPLIT.arrow."""
    root.mkdir(parents=True)
    for split, table in tables.items():
        with pa.ipc.new_file(str(root / f"things-{split}.arrow"), table.schema) as file:
            file.write_table(table)


def write_listed(root: Path, tables: Mapping[str, Any]) -> None:
    """As imagefolder: images in a folder for each split, with a list of labels or of label maps."""
    for split, table in tables.items():
        (root / split).mkdir(parents=True)
        lines = []
        for number, row in enumerate(table.to_pylist()):
            files = {key: value for key, value in row.items() if isinstance(value, dict)}
            for key, cell in files.items():
                (root / split / f"{key}-{number}.png").write_bytes(cell["bytes"])
            first, *rest = files
            entry = {"file_name": f"{first}-{number}.png"} | {f"{k}_file_name": f"{k}-{number}.png" for k in rest}
            lines.append(json.dumps(entry | ({"label": NAMES[row["label"]]} if "label" in row else {})))
        (root / split / "metadata.jsonl").write_text("\n".join(lines))


WRITERS: dict[str, Callable[[Path, Mapping[str, Any]], None]] = {
    "parquet": write_parquet,
    "save_to_disk": write_saved,
    "arrow files": write_arrow_files,
    "imagefolder": write_listed,
}
