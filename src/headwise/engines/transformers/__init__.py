"""The reference engine: frozen transformers models, read and steered through forward hooks."""

from headwise.engines.transformers.engine import TransformersEngine

__all__ = ["TransformersEngine"]
