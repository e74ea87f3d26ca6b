"""A plain network."""

from model import Mlp

Mlp().save()
