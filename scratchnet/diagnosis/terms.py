"""Mistakes in one term of a derivative that couples entries along an axis."""

TERMS: tuple = ()
