"""The metrics of a model."""
