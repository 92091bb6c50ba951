"""The strategy `fsdp2`: several devices hold one network together, so that it may be larger than one device allows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import lightning.pytorch as L
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy, StrategyRegistry
from torch import Tensor, nn
from torch._C._distributed_c10d import _broadcast_coalesced
from torch.distributed.distributed_c10d import default_pg_timeout
from torch.optim import Optimizer

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.processes.sharding import gathered, shard, shared_like

NAME = "fsdp2"
BUCKET = 250 << 20  # bytes that are sent together, as in DDP
PRECISIONS = ("32-true", "bf16-mixed", "bf16-true")


class ShardedStrategy(ModelParallelStrategy):
    """Fully sharded data parallelism (FSDP2): each device trains on its own images and holds a part of the weights.

    It computes what DDP computes, apart from rounding. Checkpoints are whole files, as those of every other strategy.

    Args:
        process_group_backend: What the processes talk through; torch's choice for the device if not given.
        timeout: How long they wait for each other.
    """

    def __init__(
        self, process_group_backend: str | None = None, timeout: timedelta | None = default_pg_timeout
    ) -> None:
        super().__init__(
            tensor_parallel_size=1,
            save_distributed_checkpoint=False,
            process_group_backend=process_group_backend,
            timeout=timeout,
        )

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        """Weights are restored into the whole network, before it is spread."""
        return False

    @property
    def lightning_restore_optimizer(self) -> bool:
        """The optimiser is restored through `load_optimizer_state_dict`."""
        return True

    def setup_environment(self) -> None:
        """Start the processes; each is a data-parallel one."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    def setup(self, trainer: L.Trainer) -> None:
        """Load initial weights, spread the network, and set up the optimiser.

        Raises:
            ConfigError: Precision, network or callbacks do not go with it.
        """
        task = self.lightning_module
        network = getattr(task, "network", None)
        assert task is not None
        if not isinstance(network, nn.Module):
            raise ConfigError(f"--trainer.strategy {NAME}: {type(task).__name__} has no `network` to spread")
        check_compatible(trainer, task)
        if trainer.ckpt_path is None:
            cast("Any", task).load_initial_weights()
        self.model_to_device()
        self._share(*task.parameters(), *task.buffers())  # each process may have drawn its own
        try:
            shard(network, self.device_mesh["data_parallel"])
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(f"--trainer.strategy {NAME}: {' '.join(str(error).split())}; use ddp") from error
        Strategy.setup(self, trainer)
        self.barrier()

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """A training step, with the running statistics of the first process, as in DDP."""
        self._share(*self._whole_model().buffers())
        return super().training_step(*args, **kwargs)

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """A validation step, with the running statistics of the first process, as in DDP."""
        self._share(*self._whole_model().buffers())
        return super().validation_step(*args, **kwargs)

    def _whole_model(self) -> nn.Module:
        assert self.lightning_module is not None
        return self.lightning_module

    def _share(self, *tensors: Tensor) -> None:
        """Copy tensors from the first process to the others."""
        filled = [tensor.detach() for tensor in tensors if tensor.numel()]
        if filled:
            _broadcast_coalesced(self.device_mesh.get_group("data_parallel"), filled, BUCKET, 0)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The whole weights in the first process, nothing in the others; all have to call this."""
        state = gathered(dict(self._whole_model().state_dict()), keep=self.is_global_zero)
        return dict(state) if self.is_global_zero else {}

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Restore the weights, before the network is spread."""
        Strategy.load_model_state_dict(self, checkpoint, strict)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """The content of a checkpoint, read by every process."""
        return Strategy.load_checkpoint(self, checkpoint_path, weights_only)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole state of the optimiser in the first process; all have to call this."""
        inner = optimizer._optimizer if isinstance(optimizer, LightningOptimizer) else optimizer
        state: dict[str, Any] = gathered(inner.state_dict(), keep=self.is_global_zero)
        return state if self.is_global_zero else {}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Restore the optimiser, whichever strategy wrote its state."""
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            optimizer.load_state_dict(spread_state(optimizer, state))


def spread_state(optimizer: Optimizer, state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of an optimiser in which each tensor is spread as its parameter is.

    Args:
        optimizer: The optimiser of the spread network.
        state: The whole state, whose parameters are numbered in the order of the groups.
    """
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    if len(own) != len(numbers):  # the optimiser's own check says more
        return dict(state)
    parameters = dict(zip(numbers, own, strict=True))

    def spread(values: dict[str, Any], parameter: Tensor) -> dict[str, Any]:
        return {
            name: shared_like(value, parameter) if isinstance(value, Tensor) else value
            for name, value in values.items()
        }

    return {**state, "state": {number: spread(values, parameters[number]) for number, values in state["state"].items()}}


def check_compatible(trainer: L.Trainer, task: L.LightningModule) -> None:
    """Check that a training can be spread, where it is to be; best before the processes are started.

    Args:
        trainer: The trainer.
        task: What it trains.

    Raises:
        ConfigError: It cannot; the message says why and what can be done.
    """
    if not isinstance(trainer.strategy, ShardedStrategy):
        return
    hparams: Mapping[str, Any] = task.hparams
    if trainer.precision not in PRECISIONS:
        raise ConfigError(
            f"--trainer.strategy {NAME} takes --trainer.precision {', '.join(PRECISIONS)}, not {trainer.precision}"
        )
    if hparams.get("ema") is not None:
        raise ConfigError(f"--trainer.strategy {NAME} keeps no moving average of the weights: leave out model.ema")
    if "until_step" in str(hparams.get("freeze")):
        raise ConfigError(
            f"--trainer.strategy {NAME} cannot unfreeze parts later: leave out until_step of model.freeze"
        )


def register() -> None:
    """Make `--trainer.strategy fsdp2` known to Lightning; a second call does nothing."""
    if NAME not in StrategyRegistry.available_strategies():
        StrategyRegistry.register(NAME, ShardedStrategy, description="Fully sharded data parallelism (FSDP2)")
