"""The CUDA sources compile for the GPUs that are meant, by NVIDIA's compiler; no GPU is needed."""

import re

import numpy as np
import pytest

from scratchnet.backends.cuda_compiler import (
    ARCHITECTURES,
    CompileError,
    compile_for,
    why_no_compiler,
)
from scratchnet.backends.cuda_kernels import parameter_types, sources, typed

needs_compiler = pytest.mark.skipif(
    why_no_compiler() is not None, reason=f"{why_no_compiler()}; the extra `test` brings it"
)


@needs_compiler
@pytest.mark.parametrize(
    ("dtype", "architecture"),
    [("float64", ARCHITECTURES[0]), *(("float32", each) for each in ARCHITECTURES)],
)
def test_the_sources_compile_without_a_warning(dtype: str, architecture: str) -> None:
    """Nothing in them depends on the number of the architecture, so float64 is for the oldest."""
    assert not re.search(r"__CUDA_ARCH__\s*[<>=]", sources()[dtype])
    code = compile_for(architecture, sources()[dtype]).code
    for kernel in parameter_types(sources()[dtype]):
        assert kernel.encode() in code


@needs_compiler
def test_a_typo_is_found() -> None:
    for wrong in ("dx[i] = y[i] > 0 ? dz[i] : real(0)", "dx[i] = y[i] > 0 ? dy[i] : real(0"):
        source = sources()["float32"].replace("dx[i] = y[i] > 0 ? dy[i] : real(0)", wrong)
        assert source != sources()["float32"]
        with pytest.raises(CompileError, match="error"):
            compile_for(ARCHITECTURES[0], source)


def test_every_kernel_and_every_parameter_is_read_from_the_source() -> None:
    found = parameter_types(sources()["float32"])
    assert len(found) == sources()["float32"].count("__global__")
    assert found["relu_backward"] == ["const real*", "const real*", "real*", "whole"]
    assert found["to_16_bits"][:2] == ["const float*", "whole"]


def test_numbers_get_the_type_that_the_source_declares() -> None:
    array = np.ones(2)
    given = typed(["real*", "int", "whole", "word", "double"], [array, True, 3, 2**32, 1])
    assert given[0] is array
    assert [type(each) for each in given[1:]] == [np.int32, np.int64, np.uint64, np.float64]
    with pytest.raises(ValueError):
        typed(["int"], [1, 2])
