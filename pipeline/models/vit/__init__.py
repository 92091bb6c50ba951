"""Vision transformers: tokens, encoder, feature pyramid, and the networks made of them."""

from foveate.pipeline.models.vit.create import NAMES, TokenClassifier, create_classifier, create_encoder
from foveate.pipeline.models.vit.encoder import SLOTS

__all__ = ["NAMES", "SLOTS", "TokenClassifier", "create_classifier", "create_encoder"]
