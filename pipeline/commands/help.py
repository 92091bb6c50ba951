"""Short help for each training command; written by hand, so that it is shown without slow imports."""

from __future__ import annotations

from foveate.pipeline.help_layout import columns, fold, fold_command, terminal_width
from foveate.pipeline.usual_options import COMMON, OPTIONS

OPTION_WIDTH = 42

PURPOSES = {
    "fit": "Train a recipe. Each run gets a directory of its own below runs/, with checkpoints, curves and overlays.",
    "validate": "Score the val split with the weights of a checkpoint: IoU (of label maps) and accuracy of each class.",
    "test": "Score the test split with the weights of a checkpoint (Cityscapes: val, its test labels are not public).",
    "predict": "Label every image below a folder: label maps of the data set's ids and overlays, or a table.",
}

EXAMPLES = {
    "fit": (
        "foveate fit --config cityscapes_segnext_t --data.root ~/cityscapes",
        "foveate fit --config camvid_segnext_t --data.root ~/camvid --model.attention.gate lka --trainer.logger wandb",
        "foveate fit --config digits_vit_ti && foveate fit --ckpt_path last --trainer.max_steps 2000    # resume",
    ),
    "validate": (
        "foveate validate --ckpt_path best               # of the latest run",
        "foveate validate --ckpt_path best --config camvid_segnext_t",
        "foveate validate --ckpt_path runs/camvid_segnext_t/0003/checkpoints/last.ckpt --trainer.devices 2",
    ),
    "test": (
        "foveate test --ckpt_path best",
        "foveate test --ckpt_path best --config camvid_segnext_t --data.root ~/camvid",
        "foveate test --ckpt_path model.ckpt --model.inference.mode slide",
    ),
    "predict": (
        "foveate predict --ckpt_path best --data.images photos --out labelled",
        "foveate predict --ckpt_path model.ckpt --data.images street.jpg --out labelled",
        "foveate predict --ckpt_path best --data.images photos --out labelled --outputs labels,shares --resume",
    ),
}


def short_help(command: str) -> str:
    """Purpose, three examples and the usual options of a training command."""
    width = terminal_width()
    lines = [f"usage: foveate {command} [options]", "", *fold(PURPOSES[command], width), "", "examples:"]
    lines += [line for example in EXAMPLES[command] for line in fold_command(example, 2, width)]
    lines += ["", "usual options:", *columns((*COMMON, *OPTIONS[command]), OPTION_WIDTH, width), ""]
    parts = f"All options: foveate {command} --help-all; of a part: --help data|model|loss|optimizer."
    lines += fold(f"{parts} Values may be YAML: '{{name: lka, kernel: 35}}'.", width)
    return "\n".join(lines)
