"""A plain network in the newest IR version that the installed onnx writes."""

import onnx
from model import Mlp

Mlp().save(ir=onnx.IR_VERSION)
