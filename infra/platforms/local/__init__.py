"""One machine, no account, no Docker: the service as supervised processes."""
