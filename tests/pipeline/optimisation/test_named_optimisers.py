"""Optimisers of torch and timm by name: with our groups, kept in a checkpoint, and refused where they do not fit."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import timm.optim
import torch
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.optimisation import named_optimisers
from foveate.pipeline.optimisation.named_optimisers import Kind, find_kind, list_timm
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, create_optimizer
from foveate.pipeline.optimisation.schedules import ScheduleConfig, create_schedule, renew_settings

ELSEWHERE = ("timm:bnb", "timm:fused")  # need a GPU and further packages
NO_DECAY = {"torch:Rprop"}
TORCH = [f"torch:{name}" for name in ("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam",
                                      "RAdam", "RMSprop", "Rprop", "SGD")]  # fmt: skip
TIMM = [name for name in list_timm() if not name.startswith(ELSEWHERE) and name != "timm:adahessian"]
QUICK = ["adamw", "sgd", "timm:lion", "timm:muon", "timm:adafactor", "timm:lamb", *TORCH]


class Model(nn.Module):
    """Depthwise and full kernels, biases and a norm, in an encoder and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, groups=1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, groups=4)
        )
        self.decoder = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.encoder(x).mean((2, 3)))
        return y


def config(name: str, **options: Any) -> OptimizerConfig:
    return OptimizerConfig(name=name, lr=1e-3, weight_decay=0.0 if name in NO_DECAY else 0.05, **options)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)  # kron draws random numbers
    optimizer.zero_grad()
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    optimizer.step()


def goes_on_from_a_checkpoint(name: str) -> None:
    first = Model()
    optimizer = create_optimizer(first, config(name))
    start = [parameter.clone() for parameter in first.parameters()]
    for seed in range(2):
        step(first, optimizer, seed)
    assert all((a != b).any() for a, b in zip(start, first.parameters(), strict=True))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    second = Model()
    second.load_state_dict(first.state_dict())
    other = create_optimizer(second, config(name))
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    for model, its in ((first, optimizer), (second, other)):
        step(model, its, seed=2)
    torch.testing.assert_close(list(second.parameters()), list(first.parameters()))
    assert [g["lr"] for g in other.param_groups] == pytest.approx([1e-3, 1e-2])


@pytest.mark.parametrize("name", QUICK)
def test_it_trains_every_parameter_and_goes_on_from_a_checkpoint(name: str) -> None:
    goes_on_from_a_checkpoint(name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*opt_einsum")
@pytest.mark.parametrize("name", TIMM)
def test_so_does_each_of_timms(name: str) -> None:
    goes_on_from_a_checkpoint(name)


def test_groups_are_ours() -> None:
    settings = config("timm:lion", decoder_lr_multiplier=4.0, no_decay="norm_and_bias")
    optimizer = create_optimizer(Model(), settings)
    assert [(g["name"], g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [
        ("encoder", 1e-3, 0.05),
        ("encoder_norm", 1e-3, 0.0),
        ("decoder", 4e-3, 0.05),
        ("decoder_norm", 4e-3, 0.0),
    ]


def test_a_step_of_timms_lion_is_the_papers() -> None:
    model = Model()
    optimizer = create_optimizer(model, config("timm:lion"))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    step(model, optimizer, seed=0)
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            assert parameter.grad is not None
            wanted = before[name] * (1 - group["lr"] * group["weight_decay"]) - group["lr"] * parameter.grad.sign()
            torch.testing.assert_close(parameter.detach(), wanted)


@pytest.mark.parametrize("name", ["sgd", "rmsproptf", "lars"])
def test_a_name_of_timms_has_the_settings_of_timms_factory(name: str) -> None:
    ours = create_optimizer(Model(), config(f"timm:{name}"))
    theirs = timm.optim.create_optimizer_v2(Model(), opt=name, lr=1e-3, weight_decay=0.05)
    assert type(ours) is type(theirs)
    assert ours.defaults == {**theirs.defaults, "weight_decay": ours.defaults["weight_decay"]}


def test_options_reach_the_optimiser_and_lists_are_pairs() -> None:
    optimizer = create_optimizer(Model(), config("torch:Adam", options={"betas": [0.8, 0.95], "amsgrad": True}))
    assert {(g["betas"], g["amsgrad"]) for g in optimizer.param_groups} == {((0.8, 0.95), True)}
    ours = create_optimizer(Model(), config("adamw", options={"eps": 1e-6}))
    assert {(g["betas"], g["eps"]) for g in ours.param_groups} == {((0.9, 0.999), 1e-6)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "lion"}, r"no optimizer 'lion' \(accepted: adamw, sgd, torch:NAME such as torch:RMSprop, timm:NAME"),
        ({"name": "rmsprop"}, "did you mean 'torch:RMSprop'"),
        ({"name": "adam"}, "did you mean 'torch:Adam'"),
        ({"name": "AdamW"}, "did you mean 'adamw'"),
        ({"name": "timm:lino"}, "no optimizer 'timm:lino'; did you mean 'timm:lion'"),
        ({"name": "timm:Lion"}, "did you mean 'timm:lion'"),
        ({"name": "torch:rmsprop"}, "did you mean 'torch:RMSprop'"),
        ({"name": "torch:Optimizer"}, "no optimizer 'torch:Optimizer'"),
        ({"name": "torch:lr_scheduler"}, "no optimizer"),
        ({"name": "torch:LBFGS"}, "torch:LBFGS cannot be used here: it computes the loss several times in a step"),
        ({"name": "torch:SparseAdam"}, "sparse gradients only"),
        ({"name": "timm:adahessian"}, "second derivatives"),
        ({"name": "torch:Muon"}, "torch:Muon with {}: Muon only supports 2D parameters"),
        ({"name": "timm:fusedlamb"}, "timm:fusedlamb: CUDA required for APEX|APEX optimizers require apex"),
        ({"name": "torch:Rprop"}, "has no weight decay: set optimizer.weight_decay to 0"),
        (
            {"name": "timm:lion", "momentum": 0.9},
            "momentum is for adamw and sgd; timm:lion takes its own as optimizer.o",
        ),
        ({"name": "adamw", "momentum": 0.9, "options": {"betas": [0.9, 0.99]}}, "optimizer.options.betas both"),
        (
            {"name": "timm:lion", "options": {"beta": [0.9, 0.99]}},
            "no option 'beta'; did you mean 'betas'.*accepted: b",
        ),
        ({"name": "torch:RMSprop", "options": {"lr": 1.0}}, "lr is set outside of them: optimizer.lr"),
        ({"name": "torch:RMSprop", "options": {"alpha": -1}}, "torch:RMSprop with {'alpha': -1}: Invalid alpha"),
        ({"name": "sgd", "options": {"nesterov": True}, "momentum": 0.0}, "Nesterov momentum requires a momentum"),
        ({"options": {"fussed": True}}, "adamw has no option 'fussed'; did you mean 'fused'"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_as_the_recipe_is_read(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OptimizerConfig(**options)


class Sharp(torch.optim.SGD):
    """As of Sharpness-aware minimisation: two passes in a step."""

    def first_step(self) -> None: ...


class Told(torch.optim.SGD):
    """As of schedule-free optimisers: they are told when an evaluation begins."""

    def train(self) -> None: ...

    def eval(self) -> None: ...


@pytest.mark.parametrize(("kind", "reason"), [(Sharp, "several times"), (Told, "when training and evaluation begin")])
def test_other_ways_of_calling_are_recognised(kind: type, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_optimisers, "_timm_kind", lambda name: Kind(name, kind))
    with pytest.raises(ConfigError, match=f"timm:made cannot be used here: it .*{reason}"):
        find_kind("timm:made")


def test_a_state_of_another_optimiser_is_refused_though_both_have_betas() -> None:
    state = create_optimizer(Model(), config("torch:NAdam")).state_dict()
    asked = create_optimizer(Model(), config("timm:lion"))
    with pytest.raises(CheckpointError, match=r"trained with torch:NAdam in 2 groups.*recipe asks for timm:lion in"):
        asked.load_state_dict(state)


def test_an_older_state_without_the_name_is_adamws_or_sgds() -> None:
    state = create_optimizer(Model(), config("adamw")).state_dict()
    for group in state["param_groups"]:
        del group["kind"]
    create_optimizer(Model(), config("adamw")).load_state_dict(state)
    with pytest.raises(CheckpointError, match="trained with adamw"):
        create_optimizer(Model(), config("sgd")).load_state_dict(state)


def test_a_resumed_training_has_the_recipes_rates_decay_and_options() -> None:
    model, asked = Model(), OptimizerConfig(name="timm:lion", lr=0.5, weight_decay=0.3, options={"betas": [0.8, 0.9]})
    optimizer = create_optimizer(model, asked)
    schedule = create_schedule(optimizer, ScheduleConfig(name="constant", warmup_steps=0), total=9)
    optimizer.load_state_dict(create_optimizer(Model(), config("timm:lion")).state_dict())
    assert {g["lr"] for g in optimizer.param_groups} == {1e-3, 1e-2}
    renew_settings(optimizer, schedule, model, asked)
    assert {(g["lr"], g["weight_decay"], tuple(g["betas"])) for g in optimizer.param_groups} == {
        (0.5, 0.3, (0.8, 0.9)),
        (5.0, 0.3, (0.8, 0.9)),
    }
    assert {g["kind"] for g in optimizer.param_groups} == {"timm:lion"}


def test_momentum_is_renewed_too() -> None:
    model = Model()
    optimizer = create_optimizer(model, config("adamw"))
    schedule = create_schedule(optimizer, ScheduleConfig(name="constant"), total=9)
    renew_settings(optimizer, schedule, model, config("adamw", momentum=0.7))
    assert {g["betas"] for g in optimizer.param_groups} == {(0.7, 0.999)}


def test_a_state_of_another_memory_layout_is_laid_out_as_the_parameter_is() -> None:
    """Fused kernels go through memory without a look at strides."""
    usual, other = (torch.nn.ModuleDict({"encoder": torch.nn.Conv2d(3, 4, 3)}) for _ in range(2))
    other.load_state_dict(usual.state_dict())
    other.to(memory_format=torch.channels_last)
    optimizers = [create_optimizer(network, OptimizerConfig(lr=0.01)) for network in (usual, other)]
    descend(usual, optimizers[0])
    other.load_state_dict(usual.state_dict())
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    for network, optimizer in zip((usual, other), optimizers, strict=True):
        descend(network, optimizer)
    torch.testing.assert_close(other["encoder"].weight, usual["encoder"].weight)


def descend(network: torch.nn.ModuleDict, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    generator = torch.Generator().manual_seed(3)
    network["encoder"](torch.randn(2, 3, 5, 5, generator=generator)).square().sum().backward()
    optimizer.step()
