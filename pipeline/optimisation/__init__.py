"""Parameter groups, optimisers, learning-rate schedules and frozen parts."""

from foveate.pipeline.optimisation.optimiser import (
    OptimizerConfig,
    create_optimizer,
    layer_factors,
    parameter_groups,
)
from foveate.pipeline.optimisation.schedules import (
    ScheduleConfig,
    create_schedule,
    rate_factor,
    renew_settings,
    warmup_length,
)

__all__ = [
    "OptimizerConfig",
    "ScheduleConfig",
    "create_optimizer",
    "create_schedule",
    "layer_factors",
    "parameter_groups",
    "rate_factor",
    "renew_settings",
    "warmup_length",
]
