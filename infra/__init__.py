"""The Pulumi program: what is declared under a model, on every platform."""
