"""The CUDA source of a step, and that NVIDIA's compiler takes it; no GPU is needed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from compiled import record

from scratchnet import SGD, Adam, mlp
from scratchnet.backends.compile import NotCompiled
from scratchnet.backends.compile.cuda_source import SHARED_BYTES, Kernel, write_kernel
from scratchnet.backends.cuda_compiler import ARCHITECTURES, compile_for, why_no_compiler
from scratchnet.buffer_reuse import elide_copies

RNG = np.random.default_rng(0)
MOST = SHARED_BYTES["sm_90"]


def written(
    *widths: int,
    points: int = 400,
    kind: Any = SGD,
    most: int = MOST,
    how: Any = None,
    **settings: Any,
) -> Kernel:
    """The kernel of a step of that network."""
    X = RNG.normal(size=(points, widths[0]))
    model = mlp(list(widths), **settings)
    Y = RNG.integers(0, 2, (points, widths[-1])).astype(float)
    calls, outcome, _ = record(kind(model, 0.1), X, Y, **(how or {}))
    return write_kernel(elide_copies(calls, outcome, model.backend), outcome, most)


def test_a_tile_holds_as_many_points_as_fit_in_equal_shares() -> None:
    assert written(2, 16, 16, 1).tile == 400
    deep = written(2, *[32] * 8, 1)
    assert deep.tile == 136 and deep.shared_bytes <= MOST
    assert written(2, *[32] * 8, 1, most=SHARED_BYTES["sm_80"]).tile < 136


def test_an_ensemble_has_the_functions_of_a_network_alone() -> None:
    functions = [
        re.findall(r"^INLINE void loop_.*?^}", written(2, 9, 1, ensemble=n).source, re.M | re.S)
        for n in (None, 3)
    ]
    assert functions[0]
    are_equal = functions[0] == functions[1]
    assert are_equal  # and pytest compares no long texts


def test_moments_lie_outside_where_they_do_not_fit() -> None:
    small, large = (written(2, w, w, 1, kind=Adam) for w in (16, 100))
    # Parameters and gradients are written back to where they came from, and small's moments.
    written_back = [each.source.count("(targets[") for each in (small, large)]
    assert written_back == [4, 2]
    assert large.shared_bytes <= MOST


def test_a_network_that_is_too_large_is_refused_with_its_size() -> None:
    with pytest.raises(NotCompiled, match=r"take \d+ KiB of shared memory: must be at most 227"):
        written(2, 200, 200, 1)


def test_phases_of_batch_normalisation_keep_their_values_outside_of_a_tile() -> None:
    one, several = (written(2, 8, 1, batch_norm=True, points=n) for n in (40, 4000))
    assert one.far_bytes == 0 < several.far_bytes
    assert len(several.phases) == len(one.phases) > 2


def test_a_loop_is_named_after_its_calls() -> None:
    source = written(2, 9, 1).source
    assert re.search(r"// matmul, add, maximum\nINLINE void loop_\d+\(", source)
    assert re.search(r"loop_\d+\(.*\);  // 1, 2, 3: matmul, add, maximum", source)


STEPS: dict[str, dict[str, Any]] = {
    "gradient descent": {},
    "everything": {
        "kind": Adam, "ensemble": 2, "batch_norm": True, "dropout": 0.2, "activation": "gelu",
        "how": {"batch_size": 32, "clip_norm": 1.0},
    },
    "float64": {"dtype": "float64", "activation": "tanh"},
}  # fmt: skip


@pytest.mark.skipif(why_no_compiler() is not None, reason=f"{why_no_compiler()}")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", STEPS)
def test_it_compiles_without_a_warning_and_keeps_its_numbers_in_registers(
    name: str, architecture: str
) -> None:
    kernel = written(2, 8, 1, points=60, **STEPS[name])
    compiled = compile_for(architecture, kernel.source)
    assert 0 < compiled.registers <= 255 and compiled.spilled_bytes == 0
    assert b"run" in compiled.code
