"""Published weights: reading, renaming, loading into our models, and export for other libraries."""

from __future__ import annotations

from foveate.pipeline.weights.loading import LEAST_COVERAGE as LEAST_COVERAGE
from foveate.pipeline.weights.loading import load_complete_weights as load_complete_weights
from foveate.pipeline.weights.loading import load_encoder_weights as load_encoder_weights
from foveate.pipeline.weights.loading import load_initial_weights as load_initial_weights
from foveate.pipeline.weights.loading import load_weights as load_weights
from foveate.pipeline.weights.normalisation import statistics_of as statistics_of
from foveate.pipeline.weights.reading import read_state_dict as read_state_dict
from foveate.pipeline.weights.report import PartReport as PartReport
from foveate.pipeline.weights.report import WeightReport as WeightReport
