"""Whether a block learns: finite numbers, gradients for all, nothing unused."""

from __future__ import annotations

import torch
from torch import Tensor

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import Subject, backward, lacks_kernel

LARGE = 6e4  # float16 ends at 65504
SEEDS = (0, 1, 2)


@rule(
    "finite",
    advice="subtract the maximum before exp (or use softmax), add an epsilon inside sqrt and below a fraction line "
    "(1e-8 is 0 in float16: take 1e-5, or compute in float32), and do not divide by H * W - 1",
)
def stay_finite(subject: Subject) -> str:
    """Values and gradients are finite for large, constant and single features, and under bfloat16 and float16."""
    x = subject.features()
    large = x / x.abs().max() * LARGE
    _expect_finite(subject, large, "values up to 60000")
    _expect_finite(subject, torch.zeros_like(x), "zeros")
    _expect_finite(subject, subject.features((1, 1)), "a map of 1 x 1")
    with torch.autocast("cpu", torch.bfloat16):
        _expect_finite(subject, large, "values up to 60000 under bfloat16 autocast")
    try:
        with torch.autocast("cpu", torch.float16):
            _expect_finite(subject, x, "normal features under float16 autocast")
            _expect_finite(subject, x.half(), "normal float16 features under autocast")
            _expect_finite(subject, torch.zeros_like(x).half(), "float16 zeros under autocast")
    except RuntimeError as error:
        if not lacks_kernel(error):
            raise
        return "float16 not tried: no kernel on this CPU"
    return ""


@rule(
    "gradients",
    advice="a weight whose gradient is always zero does not learn: look for a factor 0, a detach(), a round or an "
    "argmax behind it",
)
def reach_weights(subject: Subject) -> str:
    """Each gradient is finite, and of weights with two dimensions or more not zero in all of three seeds."""
    dead: set[str] | None = None
    for seed in SEEDS:
        module = subject.module(seed=seed).train()
        backward(module, subject.features(seed=seed))
        gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
        for name, gradient in gradients.items():
            if not gradient.isfinite().all():
                raise BrokenRuleError(f"the gradient of {name} is not finite")
        still = {name for name, gradient in gradients.items() if gradient.ndim > 1 and not gradient.any()}
        dead = still if dead is None else dead & still
    if dead:
        raise BrokenRuleError(f"the gradient of {', '.join(sorted(dead))} is zero")
    return "" if list(subject.module().parameters()) else "no parameters"


@rule(
    "unused parameters",
    advice="remove the parameter, or use it in every forward pass: training on several devices stops at one that gets "
    "no gradient",
)
def use_parameters(subject: Subject) -> None:
    """Each parameter takes part, as training on several devices (DDP) asks."""
    module = subject.module().train()
    backward(module, subject.features())
    unused = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
    if unused:
        raise BrokenRuleError(f"no gradient for {', '.join(unused)}")


@rule(
    "gradient of the input",
    advice="let the features themselves pass, not x.detach(), x.data or a copy through numpy: layers below learn "
    "through the block",
)
def reach_input(subject: Subject) -> None:
    """A gradient reaches the features, and so the layers below."""
    _, gradient = backward(subject.module().train(), subject.features())
    if gradient is None:
        raise BrokenRuleError("no gradient reaches the features")
    if not gradient.isfinite().all():
        raise BrokenRuleError("the gradient of the features is not finite")
    if not gradient.any():
        raise BrokenRuleError("the gradient of the features is zero")


def _expect_finite(subject: Subject, x: Tensor, given: str) -> None:
    module = subject.module().train()
    out, gradient = backward(module, x)
    if not out.isfinite().all():
        raise BrokenRuleError(f"{given} give a NaN or an infinity")
    gradients = [gradient, *(p.grad for p in module.parameters())]
    if not all(g.isfinite().all() for g in gradients if g is not None):
        raise BrokenRuleError(f"{given} give a gradient that is not finite")
