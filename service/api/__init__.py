"""What callers send and get: /predict, /v2, and their description."""
