"""Right: the service, one sample a request, is as accurate as the model."""

import sys

from client import accuracy

folder, port = sys.argv[1:]
right = accuracy(port, folder, 50)
print("accuracy over HTTP:", right)
sys.exit(right < 0.95)
