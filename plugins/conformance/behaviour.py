"""A block is a function of its features: no writing into them, no chance, no memory, no looking at neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import Subject, call, is_close

DECLARED = "differs_in_training"  # of a module that means to: an attribute with the reason


@rule("input untouched", advice="write x = x * gate, not x *= gate or x.mul_(gate); no inplace=True on the first layer")
def leave_input(subject: Subject) -> None:
    """The features that were given are as before."""
    for training in (False, True):
        x = subject.features()
        with torch.no_grad():
            subject.module().train(training)(x)
        if not torch.equal(x, subject.features()):
            raise BrokenRuleError(f"the features were changed in {'training' if training else 'evaluation'}")


@rule("evaluation repeats", advice="draw random numbers only while self.training, or once, into a buffer")
def repeat(subject: Subject) -> None:
    """In evaluation chance has no say."""
    if not torch.equal(_answer(subject, seed=1), _answer(subject, seed=2)):
        raise BrokenRuleError("the same module and features gave two answers under two seeds")


@rule("no memory", advice="keep nothing of a call on self; what is cached must be keyed by all that it depends on")
def forget(subject: Subject) -> None:
    """In evaluation a call leaves no trace in the next."""
    module, x = subject.module(), subject.features()
    first = _seeded(module, x)
    _seeded(module, subject.features((8, 12), seed=1))
    if not torch.equal(first, _seeded(module, x)):
        raise BrokenRuleError("the answer changed after a call on other features")


@rule(
    "samples apart", advice="pool and normalise over dimensions 1 to 3, never over 0; let batch norm do so in training"
)
def keep_samples_apart(subject: Subject) -> None:
    """In evaluation a sample's answer does not depend on the others of its batch."""
    x = subject.features(batch=3)
    together, alone = _seeded(subject.module(), x)[1:2], _seeded(subject.module(), x[1:2])
    if not is_close(together, alone):
        raise BrokenRuleError("a sample by itself got another answer than inside a batch")


@rule(
    "training and evaluation",
    advice="use nn.Dropout and nn.BatchNorm2d as modules, so that it is seen; for a difference that is meant, set "
    f"`{DECLARED} = 'the reason'` on the module that has it",
)
def differ_as_declared(subject: Subject) -> str:
    """Training differs from evaluation by batch norm, dropout and what says so, and by nothing else."""
    module = subject.module().train()
    declared = sorted({_settle(child) for child in list(module.modules()) if _may_differ(child)})
    if not is_close(_seeded(module, subject.features()), _seeded(subject.module(), subject.features())):
        apart = f", apart from {', '.join(declared)}" if declared else ""
        raise BrokenRuleError(f"training gives another answer than evaluation{apart}")
    return f"differs by {', '.join(declared)}" if declared else "alike"


def _may_differ(module: nn.Module) -> bool:
    known = isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd)
    name = type(module).__name__
    drops = ("Drop" in name or name == "StochasticDepth") and not any(module.children())  # of timm and torchvision
    return known or drops or hasattr(module, DECLARED)


def _settle(module: nn.Module) -> str:
    """Put one module that may differ into evaluation, and name it."""
    module.eval()
    reason = getattr(module, DECLARED, None)
    return f"{type(module).__name__} ({reason})" if reason else type(module).__name__


def _answer(subject: Subject, *, seed: int) -> Tensor:
    module = subject.module()
    torch.manual_seed(seed)
    with torch.no_grad():
        return call(module, subject.features())


def _seeded(module: nn.Module, x: Tensor) -> Tensor:
    """The answer under a fixed seed: chance is another rule's matter."""
    torch.manual_seed(0)
    with torch.no_grad():
        return call(module, x)
