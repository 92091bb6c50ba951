"""The first loss of mmseg itself, as a script: python peer_loss.py CONFIG, with mmseg installed (benchmarks/peers.txt).

It prints the loss of the batch of formula.py by the network that CONFIG describes, with the weights of formula.py, in
training mode.
"""

from __future__ import annotations

import sys

import torch

from foveate.benchmarks.peers import mmseg as peer
from foveate.tests.pipeline.mmseg.formula import SIDE, bases_of, batch, tensor_of


def first_loss(path: str) -> float:
    """The loss.

    Args:
        path: The config.
    """
    peer.prepared()
    from mmengine.config import Config
    from mmseg.registry import MODELS

    config = Config.fromfile(path).model
    config.backbone.init_cfg = None
    config.data_preprocessor.size = (SIDE, SIDE)
    with peer.quietly():
        model = MODELS.build(config)
    model.load_state_dict({name: tensor_of(name, value.shape) for name, value in model.state_dict().items()})
    data = model.data_preprocessor(peer.create_batch(*batch()), training=True)
    ham = config.decode_head
    with peer.quietly(), peer.fixed_bases(model.train(), bases_of(ham.ham_channels, ham.ham_kwargs.MD_R)):
        losses = model(data["inputs"], data["data_samples"], mode="loss")
    return float(losses["decode.loss_ce"].detach())


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"{first_loss(sys.argv[1]):.9f}")
