"""Right: the service, one sample a request, reaches the minimum of model.yaml."""

import sys

from client import accuracy

folder, port = sys.argv[1:]
right = accuracy(port, folder, 300)
print("minimum 0.9; accuracy over HTTP, one sample a request:", round(right, 4))
sys.exit(right < 0.9)
