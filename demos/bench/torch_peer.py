"""The same step in PyTorch: eager, compiled, and as a CUDA graph.

What the NumPy backend asks of glibc's allocator, to keep freed memory for the next step, holds for
the whole process, so PyTorch has it too.
"""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from scratchnet.backends.interface import Timer
from scratchnet.demos.bench.problem import LEARNING_RATE, Problem
from scratchnet.demos.bench.timing import Implementation
from scratchnet.extras import require

EAGER, COMPILED, GRAPH = "PyTorch eager", "torch.compile", "PyTorch CUDA graph"


def import_torch() -> Any:
    """PyTorch. Raises `InputError` where it is not installed."""
    return require("torch", "PyTorch", "bench", "--peers torch")


def torch_steps(problem: Problem) -> Iterator[Implementation | str]:
    """Each implementation, or in a line why it does not take part."""
    torch = import_torch()
    torch.backends.cuda.matmul.allow_tf32 = problem.case.precision == "tf32"
    yield implementation(EAGER, problem, eager_step)
    graph = {GRAPH: graph_step} if problem.case.on_cuda else {}
    for name, make in {**graph, COMPILED: compiled_step}.items():
        try:
            yield implementation(name, problem, make)
        except Exception as error:  # whatever a compiler, or a capture, may say
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            yield f"{name} does not take part: {reason}"


def implementation(
    name: str, problem: Problem, make: Callable[..., Callable[[], Any]]
) -> Implementation:
    """`make` gets torch, the loss as a function of nothing, and the parameters."""
    torch, on_cuda = import_torch(), problem.case.on_cuda
    compute_loss, parameters = loss_and_parameters(torch, problem, "cuda" if on_cuda else "cpu")
    return Implementation(
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

    One network is `addmm`, b + a W, for each layer, which is what `nn.Linear` calls; an ensemble is
    one `baddbmm`, the same for every network.
    """
    functional = torch.nn.functional
    weights, biases = (
        [torch.tensor(problem.own(each), device=device, requires_grad=True) for each in arrays]
        for arrays in (problem.weights, problem.biases)
    )
    X, y = (torch.tensor(each, device=device) for each in (problem.X, problem.y))
    affine = torch.addmm
    if problem.case.ensemble:
        affine = torch.baddbmm
        X, y = (each.expand(problem.case.networks, *each.shape) for each in (X, y))

    def compute_loss() -> Any:
        """The mean binary cross-entropy of the logits: () for one network, (E,) for an ensemble."""
        a = X
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            a = affine(bias, a, weight)
            a = torch.relu(a) if layer < len(weights) - 1 else a
        if a.ndim == 2:
            return functional.binary_cross_entropy_with_logits(a, y)
        entries = functional.binary_cross_entropy_with_logits(a, y, reduction="none")
        return entries.mean(dim=(1, 2))

    return compute_loss, [*weights, *biases]


def eager_step(
    torch: Any, compute_loss: Callable[[], Any], parameters: list[Any], rate: float = LEARNING_RATE
) -> Callable[[], Any]:
    """A step of gradient descent as people write it; it returns the losses."""
    optimizer = torch.optim.SGD(parameters, rate)

    def step() -> Any:
        """The losses before a step of gradient descent, which it makes."""
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
    if not parameters[0].is_cuda:
        # One kernel or two: no pool of compiling processes beside what is timed.
        inductor: Any = importlib.import_module("torch._inductor.config")
        inductor.compile_threads = 1
    # No memory of earlier cases, after a few of which PyTorch would give up compiling.
    torch.compiler.reset()
    compiled = torch.compile(compute_loss, fullgraph=True)
    differentiate(compiled())
    return eager_step(torch, compiled, parameters)


def graph_step(torch: Any, compute_loss: Callable[[], Any], parameters: list[Any]) -> Any:
    """The whole step as one CUDA graph, captured as PyTorch's manual shows.

    The warm-up makes no step of its own: its optimizer has the learning rate 0.
    """
    warm_up = eager_step(torch, compute_loss, parameters, rate=0.0)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            warm_up()
    torch.cuda.current_stream().wait_stream(stream)
    step = eager_step(torch, compute_loss, parameters)
    graph = torch.cuda.CUDAGraph()
    for each in parameters:
        each.grad = None
    with torch.cuda.graph(graph):
        losses = step()

    def replay() -> Any:
        graph.replay()
        return losses

    return replay
