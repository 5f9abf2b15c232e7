"""Few-shot classifiers and reward models from the attention heads of a frozen language model."""
