"""The same step in PyTorch: eager, compiled, as a CUDA graph, and batched for an ensemble.

What the NumPy backend asks of glibc's allocator, to keep freed memory for the next step, holds for
the whole process, so PyTorch has it too.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scratchnet.backends.interface import Timer
from scratchnet.demos.bench.problem import LEARNING_RATE, Problem
from scratchnet.demos.timing import Contestant
from scratchnet.extras import require

EAGER, BATCHED = "PyTorch eager", "PyTorch batched product"
COMPILED, GRAPH = "torch.compile", "PyTorch CUDA graph"

COMPILERS = ("c++", "g++", "clang++", "cl")


def import_torch() -> Any:
    return require("torch", "PyTorch", "bench", "--peers torch")


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Inside, PyTorch computes an op with as many threads."""
    torch = import_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def torch_contestants(problem: Problem, on_cuda: bool) -> tuple[list[Contestant], list[str]]:
    """The contestants, and a line for each that cannot take part, with the reason."""
    torch = import_torch()
    torch.backends.cuda.matmul.allow_tf32 = problem.case.precision == "tf32"
    eager_name = BATCHED if problem.case.ensemble else EAGER
    found, missing = [contestant(eager_name, problem, on_cuda, eager_step)], []
    if not on_cuda and not any(map(shutil.which, COMPILERS)):
        missing.append(
            f"{COMPILED} does not take part: no C++ compiler was found; install g++ or clang++"
        )
    else:
        try:
            found.append(contestant(COMPILED, problem, on_cuda, compiled_step))
        except Exception as error:  # whatever a compiler may say
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            missing.append(f"{COMPILED} does not take part: {reason}")
    if on_cuda:
        found.append(contestant(GRAPH, problem, on_cuda, graph_step))
    return found, missing


Maker = Callable[[Any, Any, list[Any]], Callable[[], Any]]
"""From torch, the loss as a function of nothing, and the parameters to the training step."""


def contestant(name: str, problem: Problem, on_cuda: bool, make: Maker) -> Contestant:
    torch = import_torch()
    compute_loss, parameters = loss_and_parameters(torch, problem, "cuda" if on_cuda else "cpu")
    return Contestant(
        name,
        make(torch, compute_loss, parameters),
        lambda losses: losses.detach().cpu().numpy().reshape(1, -1),
        lambda: Timer(torch.cuda.synchronize if on_cuda else (lambda: None)),
        networks=problem.case.networks,
    )


def loss_and_parameters(
    torch: Any, problem: Problem, device: str
) -> tuple[Callable[[], Any], list[Any]]:
    """A function of nothing that gives each network's loss, (E,) or (), and the parameters.

    One network is what a user of PyTorch would write, `nn.Sequential` of `nn.Linear` and
    `nn.ReLU`; an ensemble is one `baddbmm`, b + a W for every network, for each layer.
    """
    functional = torch.nn.functional
    X = torch.tensor(problem.X, device=device)
    y = torch.tensor(problem.y, device=device)
    if problem.case.ensemble is None:
        model = sequential(torch, problem).to(device)
        return lambda: functional.binary_cross_entropy_with_logits(model(X), y), [
            *model.parameters()
        ]
    weights = [torch.tensor(each, device=device, requires_grad=True) for each in problem.weights]
    biases = [torch.tensor(each, device=device, requires_grad=True) for each in problem.biases]
    X = X.expand(problem.case.networks, *X.shape)
    y = y.expand(problem.case.networks, *y.shape)

    def compute_loss() -> Any:
        a = X
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            a = torch.baddbmm(bias, a, weight)
            a = torch.relu(a) if layer < len(weights) - 1 else a
        entries = functional.binary_cross_entropy_with_logits(a, y, reduction="none")
        return entries.mean(dim=(1, 2))

    return compute_loss, [*weights, *biases]


def sequential(torch: Any, problem: Problem) -> Any:
    layers: list[Any] = []
    for weight, bias in zip(problem.weights, problem.biases, strict=True):
        linear = torch.nn.Linear(*weight.shape[1:])
        with torch.no_grad():
            # PyTorch keeps the matrix as (out, in).
            linear.weight.copy_(torch.tensor(weight[0].T))
            linear.bias.copy_(torch.tensor(bias[0, 0]))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def eager_step(torch: Any, compute_loss: Callable[[], Any], parameters: list[Any]) -> Any:
    optimizer = torch.optim.SGD(parameters, LEARNING_RATE)

    def step() -> Any:
        optimizer.zero_grad()
        losses = compute_loss()
        differentiate(losses)
        optimizer.step()
        return losses

    return step


def differentiate(losses: Any) -> None:
    """Of one network's loss without a detour over its sum, which would be two kernels more."""
    (losses.sum() if losses.ndim else losses).backward()


def compiled_step(torch: Any, compute_loss: Callable[[], Any], parameters: list[Any]) -> Any:
    """Forward and backward pass compiled, which happens here; the optimizer is PyTorch's."""
    # No pool of compiling processes beside what is timed; and no memory of earlier cases, after a
    # few of which PyTorch would give up compiling and go on as it is.
    inductor: Any = importlib.import_module("torch._inductor.config")
    inductor.compile_threads = 1
    torch.compiler.reset()
    compiled = torch.compile(compute_loss, fullgraph=True)
    differentiate(compiled())
    return eager_step(torch, compiled, parameters)


def graph_step(torch: Any, compute_loss: Callable[[], Any], parameters: list[Any]) -> Any:
    """The whole step as one CUDA graph, captured as PyTorch's manual shows.

    The warm-up makes no step of its own: its optimizer has the learning rate 0.
    """
    warm_up = torch.optim.SGD(parameters, 0.0)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            warm_up.zero_grad()
            differentiate(compute_loss())
            warm_up.step()
    torch.cuda.current_stream().wait_stream(stream)
    optimizer = torch.optim.SGD(parameters, LEARNING_RATE)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad()
    with torch.cuda.graph(graph):
        losses = compute_loss()
        differentiate(losses)
        optimizer.step()

    def step() -> Any:
        graph.replay()
        return losses

    return step
