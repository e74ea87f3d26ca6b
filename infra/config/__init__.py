"""The configuration of a stack: what can be set, with defaults, limits and messages."""
