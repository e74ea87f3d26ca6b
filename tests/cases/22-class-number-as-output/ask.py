"""Right: `label_id` is answered, the same for single samples and for a batch."""

import sys

from client import evaluation, predict

folder, port = sys.argv[1:]
samples, labels = evaluation(folder)
one = [predict(port, {"x": samples[i].tolist()})["label_id"] for i in range(20)]
many = predict(port, {"x": samples[:20].tolist()})["label_id"]
print(one, many)
sys.exit(one != many or one != labels[:20].tolist())
