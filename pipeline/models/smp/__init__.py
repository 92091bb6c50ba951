"""Encoders and decoders of segmentation_models_pytorch."""
