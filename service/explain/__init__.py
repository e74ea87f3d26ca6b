"""Explanations: what a prediction comes from."""
