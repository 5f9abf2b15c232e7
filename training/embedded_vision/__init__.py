"""Training of `headwise.load("embedded-vision")`: a vision tower, then the language model."""
