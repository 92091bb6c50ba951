"""What a leaderboard says about itself: how records are made, what they show, and what they cannot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from foveate.pipeline.leaderboard.protocol import Protocol, Track
from foveate.pipeline.leaderboard.standings import Table
from foveate.pipeline.runs.recipes import arguments_of
from foveate.pipeline.text import duration

BEGINNING = (
    "Attention blocks, trained by one fixed protocol on real images. Each training is a JSON record, from which "
    "everybody can recompute its figures, and whose first steps everybody can take again without a checkpoint. This "
    "page is written by `foveate leaderboard show`; do not edit it."
)
COLUMNS = (
    "score: mean over the seeds in percent, and its 95 % interval over draws of the val images (bootstrap). Each seed "
    "is in the next column.",
    "gain over none: mean difference in points to the empty slot, over the seeds that both have, and its 95 % interval "
    "over draws of the images, the same for both. It does not cover seeds. Blocks stand in its order, since some may "
    "lack a seed that others have, and a seed may lift all scores.",
    "against none: better, worse, no such difference (less than a point), or not known, with an interval of the "
    "difference, which covers seeds and images; those of all blocks hold together in 95 % of tables. How much scores "
    "vary between seeds is told by all blocks of the track together, assuming that it is alike for all (analysis of "
    "variance over blocks and seeds; degrees of freedom after Satterthwaite). The number of seeds is fixed, and "
    "nothing is said of a block before it has all of them. The words are corrected for the number of blocks (Holm), "
    "the intervals too (Bonferroni).",
    "step ratio: processor time of a training step over that of the empty slot, both measured in turn in one process; "
    "the median over the records.",
    "MMACs and parameters: of the whole network, for one training crop.",
    "field: theoretical receptive field of the encoder's last feature; effective: side of a square with the area of "
    "the pixels whose influence on it is at least 4.55 % of the largest, after the training.",
)


def state_of(protocol: Protocol, tables: Sequence[Table]) -> str:
    """How many records there are.

    Args:
        protocol: The protocol.
        tables: Its tables.
    """
    main = [table for table in tables if not table.data]
    records = sum(len(one.records) for table in main for one in table.standings)
    blocks = max(table.blocks for table in main)
    whole = blocks * protocol.seeds * len(main)
    counted = f"Protocol {protocol.version}: {records} of {whole} records of {blocks} blocks."
    return counted if records == whole else f"{counted} The others are missing; each table names them."


def describe_track(track: Track) -> str:
    """What is trained in a track, in a few sentences.

    Args:
        track: The track.
    """
    model, data = arguments_of(track.recipe, "model"), arguments_of(track.recipe, "data")
    size = data.get("crop") or data.get("image_size")
    side = " x ".join(map(str, size)) if isinstance(size, Sequence) and not isinstance(size, str) else f"{size} px"
    optimizer = model.get("optimizer") or {}
    return (
        f"`{model['network']}` on `{track.folder}`, the blocks in slot `{track.slot}`, from scratch: "
        f"{track.steps} steps of {data['batch_size']} crops of {side}, {optimizer.get('name')} at "
        f"{optimizer.get('lr')}, {track.recipe['trainer']['precision']}. "
        f"Score: {track.score} over the whole val split."
    )


def what_it_shows(protocol: Protocol, detect: float) -> list[str]:
    """What the protocol can show, and what it cannot.

    Args:
        protocol: The protocol.
        detect: Smallest difference that counts, in [0, 1].
    """
    few = f"{protocol.seeds} seeds tell apart what differs by several points, hardly what differs by {100 * detect:g}."
    return [
        "The trainings are short, so that all of them take hours on two processor cores and not weeks on GPUs. They",
        "show how fast a network learns with a block from scratch, on few and small images. They do not show where a",
        "long training ends: a block that helps early may lose its lead, and one with many weights may need longer. A",
        "network of full width, larger crops or pretrained weights may rank blocks otherwise.",
        few,
        "All blocks start as published and learn at one rate. One that fails here may learn with another start, such",
        "as `{name: lka, init: identity}`, or at another rate.",
        "Times depend on the machine and on how well a kernel is written; MACs and parameters do not.",
    ]


def machines(tables: Sequence[Table]) -> str:
    """The processors and versions of torch that the records come from, and the processor time of a training.

    Args:
        tables: The tables.
    """
    records = [record for table in tables for one in table.standings for record in one.records.values()]
    places = [record.content["environment"] for record in records]
    found = sorted({f"{place['processor']} with torch {place['libraries']['torch']}" for place in places})
    times = []
    for table in tables:
        spent = [r.content["training"]["cpu_seconds"] for one in table.standings for r in one.records.values()]
        if spent:
            times.append(f"{duration(statistics.median(spent))} in {table.name}")
    return f"{'; '.join(found)}. Median processor time of a training: {', '.join(times)}"


def how_to(protocol: Protocol) -> list[str]:
    """How records are made, checked and added.

    Args:
        protocol: The protocol.
    """
    folders = " and ".join(dict.fromkeys(f"`{track.folder}/`" for track in protocol.tracks.values()))
    points = f"{100 * protocol.score_bound:g}"
    return [
        "## Add a block, check a record",
        "",
        f"`--data` names a folder that holds {folders}. The published records are of the files whose hash is in the",
        "protocol (`pipeline/leaderboard/protocol_1.yaml`): CamVid in the layout of the SegNet tutorial, its images as",
        "JPEG files of quality 95, and 5000 + 1000 images of CIFAR-10 as JPEG files in folders of their classes. Other",
        "copies work too; their records get tables of their own, since their pixels and so their losses differ. Train",
        "`none` on them as well (`foveate leaderboard run --blocks none`), to have something to compare with.",
        "",
        "```",
        "foveate leaderboard add my-block --plugins my_block.py --data ~/data --slots gate",
        "foveate leaderboard check leaderboard/camvid-gate/my-block-0.json --data ~/data",
        "foveate leaderboard run --data ~/data --budget 30m    # all blocks; goes on where it stopped",
        "foveate leaderboard show --page leaderboard.html",
        "```",
        "",
        "`run` gives every block one seed in every track before it begins with the next seed; two commands with",
        "different `--slots` may write into one folder at the same time, so that two cores are used. `add` trains the",
        "block with each seed, writes its records and a badge, and says where it stands. To publish, send the records,",
        "JSON files of a few KB, with the confusion matrix of val and the counts of each of its images, the first",
        "losses, costs, hashes of code, data and protocol, and the machine.",
        "",
        "`check` refuses a record",
        "",
        "* whose digest is not that of its content, or that lacks a part;",
        "* of another protocol, track, slot, seed or number of steps, or of other data than those of `--data`;",
        "* whose score, interval or class figures do not follow from the counts of its images, or whose counts do not",
        "  add up to its confusion matrix;",
        "* whose counts are not those of val's labels, or whose parameters, MACs or receptive field are not those of",
        "  the block (with `--data`);",
        f"* whose first {protocol.replayed} losses are not those that come out here: bit for bit on the same kind of",
        "  machine with the same code and libraries, and wherever the block's own code has changed; else within "
        f"{100 * protocol.loss_bound:g} %",
        "  (with `--data`).",
        "",
        "The digest is no signature: whoever changes a record can compute it again. A score whose counts were made up",
        "consistently is found by `--steps all` only, which repeats the whole training: its score must be the same bit",
        f"for bit on the same kind of machine, and within {points} points elsewhere, where rounding differs and a",
        "training drifts apart as with another seed (measured twice, camvid-gate, `none` and `se` with PyTorch's AVX2",
        "operators and without native kernels: 0.8 and 1.2 points). `--against OTHER.json` compares two people's",
        "records of one training by the same bounds. Times, the last loss and the effective receptive field are not",
        "compared.",
    ]
