"""Prediction from files: samples read, requests sent, answers written and resumed."""
