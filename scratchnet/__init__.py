"""A hand-written autograd engine for multilayer perceptrons. Start reading at `tensor.py`."""

import sys as _sys
from pathlib import Path as _Path

if _sys.argv[:1] == ["-m"] or _Path((_sys.argv or [""])[0]).name == "scratchnet":
    # Started as the command: Ctrl-C before its first line runs needs no traceback.
    from scratchnet.interruption import interruptions_end_the_process

    interruptions_end_the_process()

_root = _Path(__file__).resolve().parent.parent
if (_root / "backends" / "interface.py").is_file():
    # Python started in the root of a clone finds this folder before an installed copy.
    __path__.append(str(_root))

from scratchnet import init, losses, ops
from scratchnet.backends import Backend, InputError, available_backends, get_backend
from scratchnet.evaluation import accuracy, evaluate_loss
from scratchnet.layers import (
    GELU,
    Activation,
    BatchNorm,
    Bottleneck,
    Dropout,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    Threshold,
)
from scratchnet.model import Model, mlp
from scratchnet.optim import SGD, Adam, AdamW, clip_gradients
from scratchnet.tensor import Tensor, no_grad
from scratchnet.training import History, fit

__all__ = [
    "GELU",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "Backend",
    "BatchNorm",
    "Bottleneck",
    "Dropout",
    "History",
    "InputError",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Model",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "Tensor",
    "Threshold",
    "accuracy",
    "available_backends",
    "clip_gradients",
    "evaluate_loss",
    "fit",
    "get_backend",
    "init",
    "losses",
    "mlp",
    "no_grad",
    "ops",
]
