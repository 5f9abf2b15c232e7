"""From examples to conversations: how each method asks its question."""
