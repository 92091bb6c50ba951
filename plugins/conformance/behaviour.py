"""Rules on behaviour: the input is not modified, evaluation is deterministic, and samples are independent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import Subject, call, is_close

DECLARED = "differs_in_training"  # attribute of a module that differs on purpose; its value is the reason


@rule("input untouched", advice="write x = x * gate, not x *= gate or x.mul_(gate); no inplace=True on the first layer")
def leave_input(subject: Subject) -> None:
    """The input is not modified."""
    for training in (False, True):
        x = subject.features()
        with torch.no_grad():
            subject.module().train(training)(x)
        if not torch.equal(x, subject.features()):
            raise BrokenRuleError(f"the block modified its input in {'training' if training else 'evaluation'}")


@rule("evaluation repeats", advice="draw random numbers only while self.training is true, or once, into a buffer")
def repeat(subject: Subject) -> None:
    """Evaluation is deterministic."""
    if not torch.equal(_answer(subject, seed=1), _answer(subject, seed=2)):
        raise BrokenRuleError("in evaluation the output for one input depends on the random seed")


@rule(
    "no memory",
    advice="store nothing on self in a forward pass; the key of a cache must hold everything that its values depend on",
)
def forget(subject: Subject) -> None:
    """In evaluation the output does not depend on earlier calls."""
    module, x = subject.module(), subject.features()
    first = _seeded(module, x)
    _seeded(module, subject.features((8, 12), seed=1))
    if not torch.equal(first, _seeded(module, x)):
        raise BrokenRuleError("the output changed after a call with another input")


@rule(
    "samples apart",
    advice="pool and normalise over dimensions 1 to 3, never over dimension 0; only batch norm in training may do so",
)
def keep_samples_apart(subject: Subject) -> None:
    """In evaluation the output for a sample does not depend on the other samples of its batch."""
    x = subject.features(batch=3)
    together, alone = _seeded(subject.module(), x)[1:2], _seeded(subject.module(), x[1:2])
    if not is_close(together, alone):
        raise BrokenRuleError("a sample alone gives another output than the same sample in a batch")


@rule(
    "training and evaluation",
    advice="use nn.Dropout and nn.BatchNorm2d as modules, so that they are recognised; for an intended difference, set "
    f"`{DECLARED} = 'the reason'` on the module that differs",
)
def differ_as_declared(subject: Subject) -> str:
    """Training differs from evaluation only in batch norm, dropout and modules that declare a difference."""
    module = subject.module().train()
    declared = sorted({_settle(child) for child in list(module.modules()) if _may_differ(child)})
    if not is_close(_seeded(module, subject.features()), _seeded(subject.module(), subject.features())):
        apart = f" beyond the known difference of {', '.join(declared)}" if declared else ""
        raise BrokenRuleError(f"the output in training differs from that in evaluation{apart}")
    return f"differs by {', '.join(declared)}" if declared else "the same output"


def _may_differ(module: nn.Module) -> bool:
    known = isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.dropout._DropoutNd)
    name = type(module).__name__
    drops = ("Drop" in name or name == "StochasticDepth") and not any(module.children())  # timm's and torchvision's
    return known or drops or hasattr(module, DECLARED)


def _settle(module: nn.Module) -> str:
    """Set a module that may differ to evaluation mode, and return its name."""
    module.eval()
    reason = getattr(module, DECLARED, None)
    return f"{type(module).__name__} ({reason})" if reason else type(module).__name__


def _answer(subject: Subject, *, seed: int) -> Tensor:
    module = subject.module()
    torch.manual_seed(seed)
    with torch.no_grad():
        return call(module, subject.features())


def _seeded(module: nn.Module, x: Tensor) -> Tensor:
    """The output under a fixed seed; randomness is tested by another rule."""
    torch.manual_seed(0)
    with torch.no_grad():
        return call(module, x)
