"""The stand-in for the official Kubernetes plugin, in earnest: every operation is done by a real API server."""
