"""Rules on copies: a block can be saved, loaded, copied and sent to another process."""

from __future__ import annotations

import copy
import io
import pickle

import torch
from torch import nn

from foveate.plugins.conformance.rule import BrokenRuleError, rule
from foveate.plugins.conformance.subject import Subject, call


@rule(
    "state dict",
    advice="register every tensor that the output depends on as a parameter or a buffer (self.register_buffer), or "
    "compute it from the options alone",
)
def save_and_load(subject: Subject) -> None:
    """The state dict, saved and loaded into a newly built module, gives the same output."""
    module, twin, file = subject.module(seed=0), subject.module(seed=1), io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file, weights_only=True))
    _expect_same(subject, twin, "a newly built module with this state dict")


@rule(
    "deepcopy",
    advice="keep no open files, locks or non-leaf tensors on self (detach those); weight averaging (EMA) copies blocks",
)
def copy_deeply(subject: Subject) -> None:
    """A deep copy gives the same output."""
    _expect_same(subject, copy.deepcopy(subject.module()), "a deep copy")


@rule(
    "pickle",
    advice="keep no lambda or local function on self, define no class in a function; use methods and module-level ones",
)
def pickle_and_back(subject: Subject) -> None:
    """A pickled and unpickled module gives the same output (spawned processes receive modules this way)."""
    _expect_same(subject, pickle.loads(pickle.dumps(subject.module())), "the unpickled module")


def _expect_same(subject: Subject, module: nn.Module, what: str) -> None:
    answers = []
    for one in (module, subject.module()):
        torch.manual_seed(0)
        with torch.no_grad():
            answers.append(call(one.eval(), subject.features()))
    if not torch.equal(*answers):
        raise BrokenRuleError(f"{what} gives another output")
