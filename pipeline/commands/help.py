"""One screen of help for each training command, kept by hand so that it comes at once."""

from __future__ import annotations

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
        "foveate fit --config digits_vit_ti && foveate fit --ckpt_path last --trainer.max_steps 2000    # and go on",
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
        "foveate predict --ckpt_path best --data.images photos --out labelled --model.inference.mode slide",
    ),
}

COMMON = (
    ("--config RECIPE", "a shipped recipe by name, or a YAML file; may be repeated, the later wins"),
    ("--ckpt_path FILE|last|best", "a checkpoint; last and best mean the newest run's"),
    ("--plugins MODULE", "load attention blocks from my_module.py or an importable module"),
    ("--disable PLUGIN", "do not load a plugin; FOVEATE_PLUGINS=none|a,b in the environment allows only those"),
    ("--model.inference.mode MODE", "whole, or slide: overlapping windows"),
    ("--trainer.precision P", "32-true, bf16-mixed or 16-mixed"),
    ("--trainer.devices N", "how many GPUs or processes"),
    ("--trainer.accelerator A", "auto, cpu or gpu"),
)

ENGINE = ("--engine NAME", "what runs the network: torch, folded, compile, openvino, or auto, the fastest here")

OPTIONS = {
    "fit": (
        ("--data.root DIR", "where the data set lies"),
        ("--data.batch_size N", "images per step and device"),
        ("--data.crop [H,W]", "size of a training crop; of classifiers --data.image_size N"),
        ("--data.scale [LOW,HIGH]", "random resize before the crop"),
        ("--data.num_workers N", "reading processes; 0 reads in the training process"),
        ("--model.network NAME", "see foveate models list"),
        ("--model.attention.gate BLOCK", "see foveate plugins list; also .stage, .decoder; '{name: lka, kernel: 35}'"),
        ("--model.weights FILE", "weights to start from: a file, timm:NAME, hf://owner/repository/file"),
        ("--model.ema DECAY", "evaluate and keep a moving average of the weights, such as 0.999"),
        ("--model.loss.average A", "valid, or all_pixels as in the official recipe"),
        ("--model.optimizer.lr X", "learning rate of the encoder; also .layer_decay, .weight_decay"),
        ("--model.optimizer.decoder_lr_multiplier X", "how much faster the decoder or head learns"),
        ("--model.schedule.warmup_steps N", "steps of linear rise"),
        ("--trainer.max_steps N", "length of the training; or --trainer.max_epochs"),
        ("--trainer.val_check_interval N", "steps between validations"),
        ("--trainer.accumulate_grad_batches N", "batches per optimiser step"),
        ("--trainer.logger wandb", "log to Weights & Biases too; --trainer.logger.project NAME"),
        ("--trainer.default_root_dir DIR", "where runs are kept (runs)"),
        ("--seed_everything N", "seed of weights, order and augmentation"),
    ),
    "validate": (
        ("--data.root DIR", "where the data set lies"),
        ("--data.eval_batch_size N", "images per step"),
        ENGINE,
    ),
    "test": (("--data.root DIR", "where the data set lies"), ("--data.eval_batch_size N", "images per step"), ENGINE),
    "predict": (("--data.images DIR|FILE", "what to label"), ("--out DIR", "where to write (predictions)"), ENGINE),
}


def short_help(command: str) -> str:
    """Purpose, three examples and the usual options of a training command."""
    lines = [f"usage: foveate {command} [options]", "", PURPOSES[command], "", "examples:"]
    lines += [f"  {example}" for example in EXAMPLES[command]]
    lines += ["", "usual options:"]
    for option, meaning in (*COMMON, *OPTIONS[command]):
        lines.append(f"  {option:<42}{meaning}")
    lines += ["", f"All options: foveate {command} --help-all. Values may be YAML: '{{name: lka, kernel: 35}}'."]
    return "\n".join(lines)
