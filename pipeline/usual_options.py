"""The common options of the training commands and their meanings, for the short help and for hints."""

from __future__ import annotations

COMMON = (
    ("--config RECIPE", "a shipped recipe by name, or a YAML file; may be repeated, the later wins"),
    ("--ckpt_path FILE|last|best", "a checkpoint; last and best mean the newest run's; auto: go on if it was stopped"),
    ("--plugins FILE", "load blocks, data modules ... from my_file.py, a folder or an importable module"),
    ("--disable PLUGIN", "do not load a plugin; FOVEATE_PLUGINS=none|a,b in the environment allows only those"),
    ("--model.inference.mode MODE", "whole, or slide: overlapping windows"),
    ("--trainer.precision P", "32-true, bf16-mixed or 16-mixed"),
    ("--trainer.devices N", "how many GPUs or processes"),
    ("--trainer.accelerator A", "auto, cpu or gpu"),
)

VIEWS = (
    "--model.inference.protocol P",
    "multi_scale: average 6 scales and their mirror images; of classifiers --data.eval_views ten_crop",
)
ENGINE = ("--engine NAME", "what runs the network: torch, folded, compile, openvino, or auto, the fastest here")
JSON = ("--json [FILE]", "scores as JSON: on stdout, everything else then on stderr, or into FILE.json")
PER_IMAGE = ("--per_image [FILE]", "write a line on each image: counts, loss, confidence; .csv, or .parquet")

OPTIONS = {
    "fit": (
        ("--data.root DIR", "where the data set lies"),
        ("--data.batch_size N|auto", "images per step and device; auto: what fits; --data.total_batch N: of all"),
        ("--data.crop HxW", "size of a training crop; of classifiers --data.image_size N"),
        ("--data.scale [LOW,HIGH]", "random resize before the crop"),
        ("--data.num_workers N", "data-loading processes; 0 loads in the training process"),
        ("--model.network NAME", "see foveate models list"),
        ("--model.attention.gate BLOCK", "see foveate plugins list; also .stage, .decoder; '{name: lka, kernel: 35}'"),
        ("--model.weights FILE", "weights to start from: a file, mscan_t (foveate weights list), timm:NAME, hf://..."),
        ("--model.ema DECAY", "evaluate and save a moving average of the weights, such as 0.999"),
        ("--model.freeze PART", "parts to freeze: encoder, '[encoder.stages[:2]]'"),
        ("--model.loss LOSS", "see foveate plugins list --what losses; '{name: ohem, class_weights: auto}'"),
        ("--model.optimizer.name NAME", "adamw, sgd, timm:lion, torch:RMSprop ...; .options '{betas: [0.9, 0.95]}'"),
        ("--model.optimizer.lr X", "of the encoder; .decoder_lr_multiplier M of the rest; .layer_decay, .weight_decay"),
        (
            "--model.schedule.name NAME",
            "poly, cosine, constant, step, multi_step, one_cycle, plateau, torch:..., timm:...",
        ),
        ("--trainer.max_steps N", "length of the training; or --trainer.max_epochs"),
        ("--trainer.val_check_interval N", "steps between validations"),
        ("--trainer.accumulate_grad_batches N", "batches per optimiser step"),
        ("--early_stop N", "end after N validations without a better score; or --trainer.max_time DD:HH:MM:SS"),
        ("--checkpoints.every_steps N", "also save so often; or --checkpoints.every_minutes M (10)"),
        ("--dry_run", "three steps and a validation: time, memory and disk; writes nothing"),
        ("--json [FILE]", "run, checkpoints and scores as JSON: on stdout, or into FILE.json"),
        ("--trainer.logger NAME", "log elsewhere too: wandb, tensorboard, mlflow; --trainer.logger.project NAME"),
        ("--pictures.count N", "validation images drawn (4); 0 draws none; --pictures.every N validations"),
        ("--trainer.default_root_dir DIR", "where runs are kept (runs)"),
        ("--seed_everything N", "seed of weights, order and augmentation"),
    ),
    "validate": (
        ("--data.root DIR", "where the data set lies"),
        ("--model.weights FILE", "published weights instead of a checkpoint, with --config"),
        ("--data.eval_batch_size N", "images per step"),
        VIEWS,
        ENGINE,
        PER_IMAGE,
        JSON,
    ),
    "test": (
        ("--data.root DIR", "where the data set lies"),
        ("--data.eval_batch_size N", "images per step"),
        VIEWS,
        ENGINE,
        PER_IMAGE,
        JSON,
    ),
    "predict": (
        (
            "--data.images SOURCE",
            "a folder, image or video, a pattern '*.jpg', a .txt of paths, or - for paths on stdin",
        ),
        ("--out DIR", "where to write (predictions)"),
        ("--outputs LIST", "labels,overlay; also palette, confidence, probabilities, polygons, geojson, shares"),
        ("--every N", "of a video, every n-th frame goes through the network (1)"),
        ("--classes LIST", "the classes whose probabilities are written; all if not given"),
        ("--resume", "leave out images that have all their files"),
        ("--json [FILE]", "a summary as JSON: on stdout, everything else then on stderr, or into FILE.json"),
        VIEWS,
        ENGINE,
    ),
}
