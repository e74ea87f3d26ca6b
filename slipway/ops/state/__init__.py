"""The state of a stack: the engine's command, previews, and recovery after a crash."""
