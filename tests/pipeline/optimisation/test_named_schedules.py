"""Schedules of torch and timm by name, against the libraries' own on an optimiser of one rate."""

from __future__ import annotations

import math
from typing import Any

import pytest
import timm.scheduler
import torch
from torch import nn
from torch.optim import SGD
from torch.optim import lr_scheduler as theirs
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.optimisation.schedules import ScheduleConfig, apply_rates, create_schedule

STEPS = 20


def sgd(*rates: float) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates or (1.0,)], lr=1.0)


def run(schedule: LRScheduler, steps: int = STEPS, group: int = 0) -> list[float]:
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[group]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return seen


def create(name: str, options: dict[str, Any] | None = None, *, total: float = STEPS, **others: Any) -> LambdaLR:
    return create_schedule(sgd(0.5, 5.0), ScheduleConfig(name=name, options=options, **others), total)


TORCH: list[tuple[str, dict[str, Any], Any]] = [
    ("StepLR", {"step_size": 6}, lambda o: theirs.StepLR(o, 6)),
    ("MultiStepLR", {"milestones": [3, 7], "gamma": 0.5}, lambda o: theirs.MultiStepLR(o, [3, 7], gamma=0.5)),
    ("ExponentialLR", {"gamma": 0.9}, lambda o: theirs.ExponentialLR(o, 0.9)),
    ("ConstantLR", {"factor": 0.3, "total_iters": 4}, lambda o: theirs.ConstantLR(o, 0.3, 4)),
    ("LinearLR", {"total_iters": 8}, lambda o: theirs.LinearLR(o, total_iters=8)),
    ("PolynomialLR", {"power": 0.9}, lambda o: theirs.PolynomialLR(o, total_iters=STEPS, power=0.9)),
    ("CosineAnnealingLR", {}, lambda o: theirs.CosineAnnealingLR(o, T_max=STEPS)),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.2}, lambda o: theirs.CosineAnnealingLR(o, 7, eta_min=0.2 * 0.5)),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}, lambda o: theirs.CosineAnnealingWarmRestarts(o, 4, 2)),
    ("OneCycleLR", {"pct_start": 0.4}, lambda o: theirs.OneCycleLR(o, 0.5, STEPS, pct_start=0.4, cycle_momentum=False)),
    ("CyclicLR", {"base_lr": 0.1, "step_size_up": 3},
     lambda o: theirs.CyclicLR(o, 0.1 * 0.5, 0.5, 3, cycle_momentum=False)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "build"), TORCH, ids=lambda value: value if isinstance(value, str) else "")
def test_it_is_torchs_at_every_step_and_rates_among_its_options_are_shares(
    name: str, options: dict[str, Any], build: Any
) -> None:
    wanted = run(build(sgd(0.5)), STEPS - 1)
    assert run(create(f"torch:{name}", options), STEPS - 1) == pytest.approx(wanted)
    assert run(create(f"torch:{name}", options), STEPS - 1, group=1) == pytest.approx([10 * rate for rate in wanted])


TIMM: list[tuple[str, str, dict[str, Any]]] = [
    ("cosine", "CosineLRScheduler", {"t_initial": STEPS}),
    ("tanh", "TanhLRScheduler", {"t_initial": STEPS}),
    ("poly", "PolyLRScheduler", {"t_initial": STEPS, "power": 0.9}),
    ("step", "StepLRScheduler", {"decay_t": 6, "decay_rate": 0.1}),
    ("multistep", "MultiStepLRScheduler", {"decay_t": [3, 7], "decay_rate": 0.5}),
    ("wsd", "WSDLRScheduler", {"t_initial": STEPS, "decay_t": 5}),
]


@pytest.mark.parametrize(("name", "kind", "options"), TIMM)
def test_it_is_timms_at_every_step(name: str, kind: str, options: dict[str, Any]) -> None:
    optimizer = sgd(0.5)
    schedule = getattr(timm.scheduler, kind)(optimizer, t_in_epochs=False, **options)
    wanted = []
    for number in range(STEPS):
        schedule.step_update(number)
        wanted.append(optimizer.param_groups[0]["lr"])
    given = {key: value for key, value in options.items() if key != "t_initial"}  # by default the length of the run
    assert run(create(f"timm:{name}", given)) == pytest.approx(wanted)


def test_our_warm_up_is_a_factor_and_there_is_none_by_default() -> None:
    plain, warm = (
        run(create("torch:StepLR", {"step_size": 6})),
        run(create("torch:StepLR", {"step_size": 6}, warmup_steps=4)),
    )
    assert plain[:4] == [0.5] * 4
    assert warm == pytest.approx([0.5e-6, 0.125, 0.25, 0.375, *plain[4:]], abs=1e-6)


@pytest.mark.parametrize("name", ["torch:OneCycleLR", "torch:CosineAnnealingLR", "timm:cosine"])
def test_it_can_begin_anywhere_go_back_and_pass_its_end(name: str) -> None:
    wanted, schedule = run(create(name)), create(name)
    for step in (15, 3, STEPS - 1):
        schedule.load_state_dict({**schedule.state_dict(), "last_epoch": step})
        apply_rates(schedule)
        assert schedule.optimizer.param_groups[0]["lr"] == pytest.approx(wanted[step])
    assert all(math.isfinite(rate) for rate in run(create(name), STEPS + 3))


@pytest.mark.parametrize("name", ["torch:CosineAnnealingLR", "torch:OneCycleLR", "timm:cosine"])
def test_a_run_without_end_needs_the_length(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} follows the length of the run.*or schedule.options.[Tt]"):
        create(name, total=math.inf)
    assert run(create("torch:StepLR", {"step_size": 3}, total=math.inf))[3] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "torch:steplr"}, "no schedule 'torch:steplr'; did you mean 'torch:StepLR'"),
        ({"name": "timm:cosin"}, "did you mean 'timm:cosine'"),
        ({"name": "coosine"}, "no schedule 'coosine'; did you mean 'cosine'.*torch:NAME"),
        ({"name": "torch:ReduceLROnPlateau"}, "take the schedule plateau"),
        ({"name": "timm:plateau"}, "take the schedule plateau"),
        ({"name": "torch:LambdaLR"}, "needs a function"),
        ({"name": "torch:SequentialLR"}, "other schedules as parts"),
        ({"name": "torch:StepLR"}, "torch:StepLR needs schedule.options.step_size"),
        ({"name": "torch:StepLR", "options": {"stepsize": 3}}, "no option 'stepsize'; did you mean 'step_size'"),
        ({"name": "torch:OneCycleLR", "options": {"max_lr": 1.0}}, "'max_lr'; optimizer.lr is the largest rate"),
        ({"name": "torch:StepLR", "options": {"step_size": 3, "last_epoch": 3}}, "it is set by the training"),
        ({"name": "torch:OneCycleLR", "options": {"pct_start": 2.0}}, "Expected float between 0 and 1 pct_start"),
        ({"name": "timm:step"}, "needs schedule.options.decay_t"),
        ({"name": "poly", "options": {"power": 0.9}}, "schedule.options are for the schedules of torch and timm"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_as_the_recipe_is_read(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ScheduleConfig(**options)
