"""A block can be saved, loaded, copied and sent to another process."""

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
    advice="register what decides the answer as a parameter or a buffer (self.register_buffer), or derive it from the "
    "options alone",
)
def save_and_load(subject: Subject) -> None:
    """The weights, saved and loaded into a module built anew, give the same answer."""
    module, twin, file = subject.module(seed=0), subject.module(seed=1), io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    twin.load_state_dict(torch.load(file, weights_only=True))
    _expect_same(subject, twin, "a module built anew with these weights")


@rule(
    "deepcopy",
    advice="keep no open files, locks or tensors with a history on self (detach them); averaging weights copies",
)
def copy_deeply(subject: Subject) -> None:
    """A deep copy gives the same answer."""
    _expect_same(subject, copy.deepcopy(subject.module()), "a deep copy")


@rule(
    "pickle",
    advice="no lambda or local function on self, no class inside a function: use methods and module-level names",
)
def pickle_and_back(subject: Subject) -> None:
    """A pickled module comes back with the same answer; started processes get theirs so."""
    _expect_same(subject, pickle.loads(pickle.dumps(subject.module())), "what was pickled")


def _expect_same(subject: Subject, module: nn.Module, what: str) -> None:
    answers = []
    for one in (module, subject.module()):
        torch.manual_seed(0)
        with torch.no_grad():
            answers.append(call(one.eval(), subject.features()))
    if not torch.equal(*answers):
        raise BrokenRuleError(f"{what} gives another answer")
