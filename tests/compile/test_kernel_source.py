"""The CUDA source of a step, and that NVIDIA's compiler takes it; no GPU is needed."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np
import pytest
from compiled import record

from scratchnet import SGD, Adam, mlp
from scratchnet.backends.compile import NotCompiled
from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.cuda_source import (
    CLUSTERS,
    KERNEL_BEGINS,
    SHARED_BYTES,
    Kernel,
    write_kernel,
)
from scratchnet.backends.compile.cuda_whole import BlockWholeLoops
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.cuda_compiler import ARCHITECTURES, compile_for, why_no_compiler
from scratchnet.buffer_reuse import elide_copies

RNG = np.random.default_rng(0)
MOST = SHARED_BYTES["sm_90"]


def written(
    *widths: int,
    points: int = 400,
    kind: Any = SGD,
    most: int = MOST,
    clusters: tuple[int, ...] = (1,),
    how: Any = None,
    precision: str = "fp32",
    **settings: Any,
) -> Kernel:
    """The kernel of a step of that network."""
    X = RNG.normal(size=(points, widths[0]))
    model = mlp(list(widths), **settings)
    Y = RNG.integers(0, 2, (points, widths[-1])).astype(float)
    calls, outcome, _ = record(kind(model, 0.1), X, Y, **(how or {}))
    calls = elide_copies(calls, outcome, model.backend)
    return write_kernel(calls, outcome, most, clusters, precision)


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


def test_as_few_blocks_as_can_train_a_network() -> None:
    for width, blocks in ((16, 1), (160, 2), (250, 4)):
        kernel = written(2, width, width, 1, clusters=CLUSTERS["sm_90"])
        assert kernel.cluster == blocks and kernel.shared_bytes <= MOST
    with pytest.raises(NotCompiled, match="of each of 8 blocks: must be at most 227 KiB"):
        written(2, 800, 800, 1, clusters=CLUSTERS["sm_90"])


def test_blocks_wait_for_each_other_only_where_they_meet() -> None:
    """In a tile of its own a block's threads wait for each other alone."""
    source = written(2, 8, 8, 1, clusters=(2,)).source
    step = source[source.index("// Phase 1.") :]
    forward, backward = step.index("matmul, add, maximum"), step.index("round, left)")
    assert "__syncthreads();" in step[forward:backward]
    assert step[forward:backward].count("cluster_barrier") == 1
    assert "cluster_barrier();" not in written(2, 8, 8, 1).source.split("// ---- The step.")[1]


def test_phases_of_batch_normalisation_keep_their_values_outside_of_a_tile() -> None:
    one, several = (written(2, 8, 1, batch_norm=True, points=n) for n in (40, 4000))
    assert one.far_bytes == 0 < several.far_bytes
    assert len(several.phases) == len(one.phases) > 2


def test_only_a_step_in_tf32_has_what_tensor_cores_take() -> None:
    words = ("multiply", "add_outer", "mma.sync", "multiply_tf32", "add_outer_tf32")
    for precision, is_tf32 in (("fp32", False), ("tf32", True)):
        source = written(2, 9, 1, precision=precision).source
        calls = source[source.index(KERNEL_BEGINS) :]
        found = [f"{word}<" in calls or word in source for word in words[2:]]
        assert found == [is_tf32] * 3
        assert any(f"{word}<" in calls for word in words[:2]) != is_tf32


def test_the_place_of_a_tile_has_64_bits() -> None:
    """An array of the points, and what is kept for all of them, may have more than 2^31 numbers."""
    source = written(2, 8, 1, batch_norm=True, points=4000).source
    multiplied = re.findall(r"\S*first\)? (?:/ TILE\)? )?\*", source)
    assert set(multiplied) == {"int64_t(first) *", "int64_t(first / TILE) *"}


def test_an_array_that_is_counted_in_32_bits_may_not_be_longer() -> None:
    x = np.zeros(1, np.float32)
    loops = BlockWholeLoops(None, None, "fp32")  # type: ignore[arg-type]
    for number, is_refused in ((2**31, False), (2**31 + 1, True)):
        view = View(x, x, 0, (number,), (1,), 0, None)
        refused = pytest.raises(NotCompiled, match="2,147,483,649 numbers")
        # It is asked where the array lies only after that.
        with refused if is_refused else pytest.raises(AttributeError):
            loops._place(Function(), view, ["i0"])


def test_a_loop_is_named_after_its_calls() -> None:
    source = written(2, 9, 1).source
    assert re.search(r"// matmul, add, maximum\nINLINE void loop_\d+\(", source)
    assert re.search(r"loop_\d+\(.*\);  // 1, 2, 3: matmul, add, maximum", source)


def test_counters_along_axes_of_one_entry_are_left_out() -> None:
    """The compiler would warn of them."""
    source = written(1, 8, 1, points=6, ensemble=3, dropout=0.1, how={"batch_size": 1}).source
    functions = re.findall(r"^INLINE void loop_.*?^}", source, re.M | re.S)
    counters = [re.findall(r"const int (i\d) =", function) for function in functions]
    assert any(counters)
    for function, defined in zip(functions, counters, strict=True):
        for name in defined:
            assert len(re.findall(rf"\b{name}\b", function)) >= 2 * defined.count(name)


STEPS: dict[str, dict[str, Any]] = {
    "gradient descent": {},
    "everything": {
        "kind": Adam, "ensemble": 2, "batch_norm": True, "dropout": 0.2, "activation": "gelu",
        "how": {"batch_size": 32, "clip_norm": 1.0},
    },
    "float64": {"dtype": "float64", "activation": "tanh"},
    "batches of one": {"ensemble": 3, "activation": "gelu", "how": {"batch_size": 1}},
    "tf32": {"precision": "tf32", "activation": "gelu", "ensemble": 2},
    "a cluster": {"clusters": (4,)},
    "everything in a cluster": {
        "kind": Adam, "ensemble": 2, "batch_norm": True, "dropout": 0.2, "clusters": (8,),
        "how": {"batch_size": 32, "clip_norm": 1.0},
    },
}  # fmt: skip


CASES = [
    (name, architecture)
    for name, step in STEPS.items()
    for architecture in ARCHITECTURES
    if step.get("clusters", (1,))[0] in CLUSTERS[architecture]
]


@pytest.mark.skipif(why_no_compiler() is not None, reason=f"{why_no_compiler()}")
@pytest.mark.parametrize(("name", "architecture"), CASES)
def test_it_compiles_without_a_warning_and_keeps_its_numbers_in_registers(
    name: str, architecture: str
) -> None:
    kernel = written(2, 8, 1, points=60, **STEPS[name])
    compiled = compile_for(architecture, kernel.source)
    assert 0 < compiled.registers <= 255 and compiled.spilled_bytes == 0
    assert b"run" in compiled.code
    assert (HMMA in opcodes(compiled.code)) == (name == "tf32")


HMMA = 0x23C
"""A product by tensor cores: nvdisasm writes HMMA.1688.F32.TF32 for it."""


def opcodes(code: bytes) -> set[int]:
    """The last 12 bits of each instruction's 16 bytes, in the sections of an ELF file that run."""
    start, (size, count) = (
        *struct.unpack_from("<Q", code, 0x28),
        struct.unpack_from("<HH", code, 58),
    )
    sections = [struct.unpack_from("<4Q", code, start + i * size + 8) for i in range(count)]
    places = [
        at for flags, _, first, n in sections if flags & 4 for at in range(first, first + n, 16)
    ]
    return {struct.unpack_from("<H", code, at)[0] & 0xFFF for at in places}
