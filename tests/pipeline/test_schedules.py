"""Learning rates step by step, against PyTorch's own schedulers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim import lr_scheduler as theirs
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, create_optimizer
from foveate.pipeline.optimisation.schedules import (
    PlateauLR,
    ScheduleConfig,
    create_schedule,
    rate_factor,
    renew_settings,
    warmup_length,
)


class Model(nn.Module):
    """One layer and one norm on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1), "norm1": nn.BatchNorm2d(4)})
        self.decoder = nn.ModuleDict({"conv": nn.Conv2d(4, 2, 1), "norm": nn.GroupNorm(1, 2)})


def sgd(lr: float = 1.0) -> SGD:
    return SGD([nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule: LRScheduler, steps: int) -> list[float]:
    """The rate at each step."""
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(
    ("total", "asked", "length"),
    [(160_000, None, 1500), (500, None, 50), (9, None, 0), (500, 1500, 499), (500, 0, 0), (1, 5, 0)],
)
def test_warm_up_is_at_most_a_tenth_unless_said(total: int, asked: int | None, length: int) -> None:
    assert warmup_length(total, asked) == length


@pytest.mark.parametrize(
    ("step", "power", "factor"),
    [(0, 1.0, 1e-6), (5, 1.0, 0.5), (10, 1.0, 1.0), (55, 1.0, 0.5), (55, 2.0, 0.25), (100, 1.0, 0.0), (120, 1.0, 0.0)],
)
def test_poly_rises_then_falls_to_zero(step: int, power: float, factor: float) -> None:
    got = rate_factor(step, total=100, warmup=10, config=ScheduleConfig(power=power))
    assert got == pytest.approx(factor, abs=1e-6)


@pytest.mark.parametrize(("step", "factor"), [(5, 0.5), (10, 1.0), (99, 1.0)])
def test_constant_stays_after_the_warm_up(step: int, factor: float) -> None:
    got = rate_factor(step, total=100, warmup=10, config=ScheduleConfig(name="constant"))
    assert got == pytest.approx(factor, abs=1e-6)


def test_the_schedule_moves_every_group_by_the_same_factor() -> None:
    optimizer = create_optimizer(Model(), OptimizerConfig(lr=1e-3))
    schedule = create_schedule(optimizer, ScheduleConfig(warmup_steps=4), total=12)
    rates = []
    for _ in range(12):
        rates.append([g["lr"] for g in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    encoder, decoder = torch.tensor(rates)[:, 0], torch.tensor(rates)[:, 2]
    torch.testing.assert_close(decoder, 10 * encoder)
    expected = [1e-6, 0.25, 0.5, 0.75, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    torch.testing.assert_close(encoder, 1e-3 * torch.tensor(expected), atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize(
    ("step", "final", "factor"),
    [
        (5, 0.0, 0.5),
        (10, 0.0, 1.0),
        (55, 0.0, 0.5),
        (55, 0.2, 0.6),
        (40, 0.0, 0.75),
        (100, 0.1, 0.1),
        (120, 0, 0),
    ],
)
def test_cosine_rises_then_falls_along_half_a_wave(step: int, final: float, factor: float) -> None:
    got = rate_factor(step, total=100, warmup=10, config=ScheduleConfig(name="cosine", final=final))
    assert got == pytest.approx(factor, abs=1e-6)


WARMUP = 4


def with_warmup(optimizer: SGD, schedule: LRScheduler) -> LRScheduler:
    rise = theirs.LinearLR(optimizer, start_factor=1e-6, total_iters=WARMUP)
    return theirs.ChainedScheduler([rise, schedule], optimizer)


@pytest.mark.parametrize("warmup", [0, WARMUP])
@pytest.mark.parametrize(
    ("options", "build"),
    [
        ({"name": "step", "step_size": 7}, lambda o: theirs.StepLR(o, 7)),
        ({"name": "step", "step_size": 3, "gamma": 0.5}, lambda o: theirs.StepLR(o, 3, gamma=0.5)),
        ({"name": "multi_step", "milestones": (6, 13, 29)}, lambda o: theirs.MultiStepLR(o, [6, 13, 29])),
        ({"name": "multi_step", "milestones": (1,), "gamma": 0.3}, lambda o: theirs.MultiStepLR(o, [1], gamma=0.3)),
        ({"name": "constant"}, lambda o: theirs.ConstantLR(o, factor=1.0)),
    ],
)
def test_it_is_pytorchs_with_and_without_warm_up(options: dict[str, Any], build: Any, warmup: int) -> None:
    ours, other = sgd(), sgd()
    wanted = build(other)
    got = rates(create_schedule(ours, ScheduleConfig(warmup_steps=warmup, **options), total=30), 30)
    assert got == pytest.approx(rates(with_warmup(other, wanted) if warmup else wanted, 30))


def test_cosine_without_warm_up_is_pytorchs() -> None:
    other = sgd()
    wanted = rates(theirs.CosineAnnealingLR(other, T_max=30, eta_min=0.1), 30)
    config = ScheduleConfig(name="cosine", final=0.1, warmup_steps=0)
    assert rates(create_schedule(sgd(), config, total=30), 30) == pytest.approx(wanted)


@pytest.mark.parametrize(("share", "total"), [(None, 30), (0.5, 30), (0.1, 50), (0.3, 7)])
def test_one_cycle_is_pytorchs(share: float | None, total: int) -> None:
    rise = 0.3 if share is None else share
    warmup = None if share is None else round(share * total)
    wanted = theirs.OneCycleLR(sgd(), 1.0, total, pct_start=rise if warmup is None else warmup / total,
                               final_div_factor=100, cycle_momentum=False)  # fmt: skip
    config = ScheduleConfig(name="one_cycle", final=0.04 / 100, warmup_steps=warmup)
    got = rates(create_schedule(sgd(), config, total=total), total)
    if (rise * total) % 1 < 1e-9:  # PyTorch counts parts of a step
        assert got == pytest.approx([*rates(wanted, total - 1), config.final])
    assert max(got) == pytest.approx(1.0)
    assert got[-1] == pytest.approx(config.final)


@pytest.mark.parametrize(
    "scores", [[0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1], [0.5] * 12, [0.5, 0.50001, 0.50002, 0.50003]]
)
@pytest.mark.parametrize(("patience", "gamma", "final"), [(0, 0.5, 0.0), (1, 0.1, 0.05), (2, 0.5, 0.3)])
def test_plateau_is_pytorchs(scores: list[float], patience: int, gamma: float, final: float) -> None:
    wanted = theirs.ReduceLROnPlateau(sgd(), mode="max", factor=gamma, patience=patience, min_lr=final, eps=0)
    ours = create_schedule(
        sgd(), ScheduleConfig(name="plateau", gamma=gamma, patience=patience, final=final, warmup_steps=0), total=99
    )
    assert isinstance(ours, PlateauLR)
    for score in scores:
        wanted.step(score)
        ours.observe(score)
        assert ours.optimizer.param_groups[0]["lr"] == pytest.approx(wanted.optimizer.param_groups[0]["lr"])


def test_plateau_keeps_its_fall_over_further_steps_and_warms_up() -> None:
    schedule = create_schedule(sgd(), ScheduleConfig(name="plateau", patience=0, gamma=0.5, warmup_steps=4), total=9)
    assert isinstance(schedule, PlateauLR)
    assert rates(schedule, 5) == pytest.approx([1e-6, 0.25, 0.5, 0.75, 1], abs=1e-5)
    for score in (0.5, 0.4, math.nan):
        schedule.observe(score)
    assert rates(schedule, 3) == [0.25, 0.25, 0.25]


@pytest.mark.parametrize("other", ["poly", "plateau"])
def test_a_checkpoint_brings_what_plateau_saw_but_not_its_options(other: str) -> None:
    first = create_schedule(sgd(), ScheduleConfig(name="plateau", patience=0, gamma=0.5, warmup_steps=0), total=9)
    assert isinstance(first, PlateauLR)
    rates(first, 3)
    for score in (0.5, 0.4):
        first.observe(score)
    config = ScheduleConfig(name=other, patience=0, gamma=0.1, warmup_steps=0)  # type: ignore[arg-type]
    second = create_schedule(sgd(), config, total=9)
    second.load_state_dict(first.state_dict())
    assert second.last_epoch == 3
    if isinstance(second, PlateauLR):
        second.observe(0.3)
        assert second.optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_what_plateau_keeps_is_plain_numbers() -> None:
    schedule = create_schedule(sgd(), ScheduleConfig(name="plateau"), total=9)
    assert all(isinstance(value, int | float | list | None) for value in schedule.state_dict().values())


def test_plateau_goes_on_from_a_checkpoint_of_another_schedule() -> None:
    poly = create_schedule(sgd(), ScheduleConfig(), total=9)
    rates(poly, 3)
    plateau = create_schedule(sgd(), ScheduleConfig(name="plateau", warmup_steps=0), total=9)
    plateau.load_state_dict(poly.state_dict())
    assert rates(plateau, 2)[1] == 1


def test_settings_are_renewed_with_the_factor_of_the_step() -> None:
    model, config = Model(), OptimizerConfig(lr=1.0)
    optimizer = create_optimizer(model, config)
    schedule = create_schedule(optimizer, ScheduleConfig(name="step", step_size=2, warmup_steps=0), total=9)
    rates(schedule, 2)
    renew_settings(optimizer, schedule, model, OptimizerConfig(lr=5.0, weight_decay=0.3))
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.5, 0.5, 5, 5])
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.3, 0, 0.3, 0]


@pytest.mark.parametrize("name", ["poly", "cosine", "one_cycle"])
def test_a_run_without_end_cannot_have_a_schedule_that_follows_it(name: str) -> None:
    with pytest.raises(ConfigError, match=f"schedule {name} follows the length of the run.*trainer.max_steps"):
        create_schedule(sgd(), ScheduleConfig(name=name), total=math.inf)  # type: ignore[arg-type]


def test_a_warm_up_longer_than_the_run_is_cut_and_told(caplog: pytest.LogCaptureFixture) -> None:
    schedule = create_schedule(sgd(), ScheduleConfig(warmup_steps=1500), total=4)
    assert rates(schedule, 4)[-1] == pytest.approx(1)
    assert "warm-up: 3 steps instead of 1500, since the run has 4" in caplog.text


@pytest.mark.parametrize("options", [{"name": "constant"}, {"name": "step", "step_size": 9}, {"name": "plateau"}])
def test_the_others_can_run_without_end(options: dict[str, Any]) -> None:
    assert isinstance(create_schedule(sgd(), ScheduleConfig(**options), total=math.inf), LambdaLR)


@pytest.mark.parametrize("name", ["poly", "cosine", "constant", "one_cycle", "plateau"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_shortest_runs_have_a_finite_rate(name: str, total: int) -> None:
    schedule = create_schedule(sgd(), ScheduleConfig(name=name), total=total)  # type: ignore[arg-type]
    assert all(0 <= rate <= 1 for rate in rates(schedule, total + 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup_steps": -1}, "warmup_steps: -1 is not accepted; accepted: a finite number of at least 0"),
        ({"power": -1.0}, "power: -1"),
        ({"final": 2.0}, "final: 2.0"),
        ({"start": -0.1}, "start: -0.1"),
        ({"gamma": 0.0}, "gamma: 0.0"),
        ({"patience": -1}, "patience: -1"),
        ({"threshold": math.nan}, "threshold: nan"),
        ({"name": "step"}, "step needs step_size"),
        ({"name": "step", "step_size": 0}, "step_size: 0"),
        ({"name": "multi_step"}, "multi_step needs milestones"),
        ({"name": "multi_step", "milestones": (5, 3)}, "milestones: .5, 3. is not accepted.*rising"),
        ({"name": "multi_step", "milestones": (0, 3)}, "milestones: .0, 3."),
    ],
)
def test_values_out_of_range_are_refused_with_what_is_accepted(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ScheduleConfig(**options)
