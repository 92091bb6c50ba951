"""Frozen parts stay bit for bit as they are, the others learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as L
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from foveate.datasets.classes import ClassSet
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.optimisation.freezing import Freezing, Rule, read_rules
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, create_optimizer, parameter_groups
from foveate.pipeline.optimisation.schedules import ScheduleConfig

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*isinstance\(treespec, LeafSpec\)",  # inside Lightning
    "ignore:.*ended before the epoch ended",
)
CLASSES = ClassSet(name="three", names=("a", "b", "c"))
NORMS = ("running_mean", "running_var", "num_batches_tracked")


class Net(nn.Module):
    """A convolution and a batch norm on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False))
        self.decoder = nn.Sequential(nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.encoder(x))
        return out


def batches(count: int) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(0)
    samples = [
        {
            "image": torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=generator),
            "label": torch.tensor(number % 3),
            "path": f"{number}.png",
        }
        for number in range(2 * count)
    ]
    return DataLoader(samples, batch_size=2)  # type: ignore[arg-type]


def create_task(**options: Any) -> ClassificationTask:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "network": "mscan_t",
        "labels": CLASSES,
        "mixing": None,
        "optimizer": OptimizerConfig(lr=0.01, weight_decay=0.5, no_decay="norm_and_bias"),
        "schedule": ScheduleConfig(name="constant", warmup_steps=0),
        **options,
    }
    return ClassificationTask(**settings)


def fit(task: L.LightningModule, steps: int, folder: Path, **options: Any) -> L.Trainer:
    ckpt = options.pop("ckpt_path", None)
    trainer = L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        val_check_interval=1,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        **options,
    )
    trainer.fit(task, batches(6), batches(1), ckpt_path=ckpt, weights_only=True)
    return trainer


def state(task: L.LightningModule) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in task.network.state_dict().items()}  # type: ignore[union-attr, operator]


def moved(before: dict[str, Tensor], task: L.LightningModule) -> set[str]:
    return {name for name, value in state(task).items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ema": 0.5},
        {"activation_checkpointing": True},
        {"optimizer": OptimizerConfig(lr=0.01, layer_decay=0.5)},
        {"optimizer": OptimizerConfig(name="sgd", lr=0.01)},
    ],
    ids=str,
)
def test_frozen_stages_stay_bit_for_bit_and_the_rest_learns(options: dict[str, Any], tmp_path: Path) -> None:
    task = create_task(freeze=["encoder.stages[:2]"], **options)
    before = state(task)
    trainer = fit(task, 2, tmp_path)
    frozen = tuple(f"encoder.{part}{stage}." for part in ("patch_embed", "block", "norm") for stage in (1, 2))
    learnt = moved(before, task)
    assert not [name for name in learnt if name.startswith(frozen)]
    assert learnt == {name for name in before if not name.startswith(frozen)}
    held = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    inside = [p for name, p in task.network.named_parameters() if name.startswith(frozen)]
    assert not held & set(map(id, inside))
    assert all(p.grad is None for p in inside)


def test_frozen_batch_norms_stay_in_evaluation_whatever_says_train() -> None:
    task = create_task(freeze="encoder.stages[:2]").train()
    modes = {
        name: module.training for name, module in task.network.named_modules() if isinstance(module, nn.BatchNorm2d)
    }
    assert not modes["encoder.block1.0.norm1"]
    assert modes["encoder.block3.0.norm1"]
    task.eval()
    task.train()
    assert not task.network.get_submodule("encoder.block2.0.norm2").training
    assert task.network.get_submodule("encoder.block1.0").training  # drop path goes on


def test_a_norm_without_parameters_keeps_its_statistics_too() -> None:
    net = Net().train()
    freezing = Freezing(net, "encoder")
    freezing.hold(net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net(torch.randn(2, 3, 4, 4)).sum().backward()
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"decoder.1.{name}" for name in NORMS}


@pytest.mark.parametrize("until", [1, 2])
def test_parts_learn_from_the_step_that_is_said(until: int, tmp_path: Path) -> None:
    task = create_task(freeze={"parts": "encoder", "until_step": until})
    before = state(task)
    seen: list[bool] = []

    class Watch(L.Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            seen.append(any(name.startswith("encoder.") for name in moved(before, task)))

    trainer = fit(task, 3, tmp_path, callbacks=[Watch()])
    assert seen == [step >= until for step in range(3)]
    weight = task.network.get_parameter("encoder.block1.0.attn.proj_1.weight")
    assert int(trainer.optimizers[0].state[weight]["step"]) == 3 - until
    assert task.network.get_submodule("encoder.block1.0.norm1").training


def test_a_training_that_goes_on_thaws_at_the_steps_that_are_said(tmp_path: Path) -> None:
    freeze: Any = [{"parts": "encoder", "until_step": 2}, {"parts": ["encoder.stages[:1]"], "until_step": 4}]
    first = create_task(freeze=freeze)
    fit(first, 3, tmp_path).save_checkpoint(tmp_path / "3.ckpt")
    for steps, stage_1_moves in ((4, False), (5, True)):
        task = create_task(freeze=freeze)
        fit(task, steps, tmp_path, ckpt_path=str(tmp_path / "3.ckpt"))
        learnt = moved(state(first), task)
        assert any(name.startswith("encoder.block2") for name in learnt)
        assert any(name.startswith("encoder.block1") for name in learnt) == stage_1_moves


def test_going_on_with_other_parts_frozen_is_refused_in_words(tmp_path: Path) -> None:
    fit(create_task(), 1, tmp_path).save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"leave model\.freeze"):
        fit(create_task(freeze="encoder"), 2, tmp_path, ckpt_path=str(tmp_path / "a.ckpt"))


def test_what_learns_later_is_in_the_optimiser_without_state() -> None:
    net = Net()
    freezing = Freezing(net, {"parts": "encoder", "until_step": 1})
    optimizer = create_optimizer(net, OptimizerConfig(weight_decay=0.5))
    freezing.apply(net, 0)
    before = net.encoder[0].weight.detach().clone()
    net(torch.randn(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    assert torch.equal(net.encoder[0].weight, before)
    assert not [p for p in optimizer.state if any(p is own for own in net.encoder.parameters())]
    assert any(p is net.encoder[0].weight for group in optimizer.param_groups for p in group["params"])


def test_what_never_learns_is_in_no_group() -> None:
    net = Net()
    Freezing(net, "encoder")
    assert {group["name"].split("_")[0] for group in parameter_groups(net, OptimizerConfig())} == {"decoder"}


def test_the_later_of_two_rules_for_one_part_holds() -> None:
    net = Net()
    freezing = Freezing(net, ["encoder.0", {"parts": "encoder", "until_step": 3}])
    freezing.apply(net, 3)
    assert [p.requires_grad for p in net.encoder.parameters()] == [False, False, True, True]


def test_the_introduction_counts_what_is_frozen() -> None:
    net = Net()
    assert Freezing(net, None).describe(net) == ""
    said = Freezing(net, ["encoder.0", {"parts": "decoder", "until_step": 5}]).describe(net)
    assert said == ", 30 of them frozen (encoder.0; decoder until step 5)"


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        (["encoder", "decoder"], "nothing would learn with encoder, decoder frozen"),
        ({"parts": ["encoder", "decoder"], "until_step": 5}, "nothing would learn"),
        ({"part": "encoder"}, r"freeze has no option 'part'; did you mean 'parts'\? \(accepted: parts, until_step\)"),
        ({"until_step": 5}, "which parts"),
        ({"parts": "encoder", "until_step": 0}, "until_step: 0 is not accepted; accepted: .*at least 1"),
        ({"parts": "encoder", "until_step": "soon"}, "until_step: 'soon' is not accepted"),
        ("encodr", "did you mean 'encoder'"),
    ],
)
def test_what_makes_no_sense_is_refused(freeze: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Freezing(Net(), freeze)


def test_a_checkpoint_keeps_what_was_frozen(tmp_path: Path) -> None:
    freeze: Any = ["encoder.stages[:1]", {"parts": "encoder.stages[1:2]", "until_step": 9}]
    fit(create_task(freeze=freeze), 1, tmp_path).save_checkpoint(tmp_path / "a.ckpt")
    kept = torch.load(tmp_path / "a.ckpt", weights_only=True)["hyper_parameters"]
    assert kept["freeze"] == freeze
    network = create_task(freeze=kept["freeze"]).network
    assert not network.get_parameter("encoder.block1.0.layer_scale_1").requires_grad


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("encoder.stages[:2],decoder", [Rule(("encoder.stages[:2]", "decoder"))]),
        ("[encoder.stages[:2], decoder]", [Rule(("encoder.stages[:2]",)), Rule(("decoder",))]),
        ("['encoder.stages[:2]', \"decoder\"]", [Rule(("encoder.stages[:2]",)), Rule(("decoder",))]),
        ("{parts: encoder.blocks[-1], until_step: 5}", [Rule(("encoder.blocks[-1]",), 5)]),
        ("[encoder.stages[0], {parts: [decoder, encoder.norm[1:]], until_step: 5}]",
         [Rule(("encoder.stages[0]",)), Rule(("decoder", "encoder.norm[1:]"), 5)]),
    ],
)  # fmt: skip
def test_rules_may_be_written_as_text(text: str, rules: list[Rule]) -> None:
    assert read_rules(text) == rules


def test_text_that_is_neither_list_nor_mapping_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no list or mapping"):
        read_rules("[encoder.stages[:2], decoder")
