"""The engine on any OpenAI-compatible server; needs the extra `openai`."""

from headwise.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
