"""Rules on training: finite values, gradients for every parameter and for the input."""

from __future__ import annotations

import torch
from torch import Tensor

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import Subject, backward, lacks_kernel
from foveate.plugins.errors import PluginError
from foveate.plugins.rates import lr_multipliers

LARGE = 6e4  # close to the largest float16, 65504
SEEDS = (0, 1, 2)


@rule(
    "finite",
    advice="subtract the maximum before exp (or use softmax), add an epsilon inside sqrt and to a denominator "
    "(1e-8 is 0 in float16: use 1e-5, or compute in float32), and do not divide by H * W - 1",
)
def stay_finite(subject: Subject) -> str:
    """Output and gradients are finite for large values, zeros and 1 x 1 maps, and in bfloat16 and float16."""
    x = subject.features()
    large = x / x.abs().max() * LARGE
    _expect_finite(subject, large, "values up to 60000")
    _expect_finite(subject, torch.zeros_like(x), "zeros")
    _expect_finite(subject, subject.features((1, 1)), "a feature map of 1 x 1")
    with torch.autocast("cpu", torch.bfloat16):
        _expect_finite(subject, large, "values up to 60000 under bfloat16 autocast")
    try:
        with torch.autocast("cpu", torch.float16):
            _expect_finite(subject, x, "standard normal values under float16 autocast")
            _expect_finite(subject, x.half(), "standard normal float16 values under autocast")
            _expect_finite(subject, torch.zeros_like(x).half(), "float16 zeros under autocast")
    except RuntimeError as error:
        if not lacks_kernel(error):
            raise
        return "float16 was not tested: this CPU has no kernel for it"
    return ""


@rule(
    "gradients",
    advice="a weight whose gradient is always zero does not learn: look for a factor of 0, a detach(), a round or an "
    "argmax after it",
)
def reach_weights(subject: Subject) -> str:
    """Gradients are finite; each weight (2 or more dimensions) has a non-zero one for at least one of 3 seeds."""
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
    advice="remove the parameter, or use it in every forward pass: distributed training (DDP) fails if one gets no "
    "gradient",
)
def use_parameters(subject: Subject) -> None:
    """Every parameter gets a gradient, as distributed training (DDP) needs."""
    module = subject.module().train()
    backward(module, subject.features())
    unused = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
    if unused:
        raise BrokenRuleError(f"no gradient for {', '.join(unused)}")


@rule(
    "gradient of the input",
    advice="use x itself, not x.detach(), x.data or a numpy copy: earlier layers get their gradient through the block",
)
def reach_input(subject: Subject) -> None:
    """The input gets a gradient, so that earlier layers learn."""
    _, gradient = backward(subject.module().train(), subject.features())
    if gradient is None:
        raise BrokenRuleError("the input gets no gradient")
    if not gradient.isfinite().all():
        raise BrokenRuleError("the gradient of the input is not finite")
    if not gradient.any():
        raise BrokenRuleError("the gradient of the input is zero")


@rule(
    "learning rates",
    advice='`lr_multipliers` maps names of submodules or parameters to numbers above 0, such as {"offset": 0.1}',
)
def name_slower_parts(subject: Subject) -> str:
    """Parts that ask for another learning rate (`lr_multipliers`) exist, and their multiples are above 0."""
    try:
        multiples = lr_multipliers(subject.module())
    except PluginError as error:
        raise BrokenRuleError(str(error)) from error
    return f"{len(multiples)} parameters ask for another rate" if multiples else ""


def _expect_finite(subject: Subject, x: Tensor, given: str) -> None:
    module = subject.module().train()
    out, gradient = backward(module, x)
    if not out.isfinite().all():
        raise BrokenRuleError(f"{given} give a NaN or an infinity")
    gradients = [gradient, *(p.grad for p in module.parameters())]
    if not all(g.isfinite().all() for g in gradients if g is not None):
        raise BrokenRuleError(f"{given} give a gradient that is not finite")
