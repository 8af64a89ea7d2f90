"""What is wrong with a gradient, in a sentence.

`subjects` calls what is diagnosed, `trials` draws the points at which it is tried, `mistakes`,
`factors`, `uses`, `terms`, `entries` and `rounding` say what each mistake would give there, `kinks`
what may stand at a kink, and `explain` compares. `walks` does the same for a backward pass over a
whole graph.
"""

from scratchnet.diagnosis.explain import (
    Explanation,
    diagnosis,
    explain_gradient,
    explain_pullback,
)
from scratchnet.diagnosis.mistakes import MISTAKES
from scratchnet.diagnosis.walks import explain_walk

__all__ = [
    "MISTAKES",
    "Explanation",
    "diagnosis",
    "explain_gradient",
    "explain_pullback",
    "explain_walk",
]
