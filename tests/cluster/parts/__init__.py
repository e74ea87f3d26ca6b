"""The parts of the cluster, one a file: each has `start(node)`, which returns when the part can be used."""
