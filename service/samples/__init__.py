"""From the bytes of a request to the tensors of a model, checked."""
