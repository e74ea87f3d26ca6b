"""A real Kubernetes of one node for the tests, in namespaces of its own: python -m tests.cluster up | down."""
