"""The packages; everything else stands in setup.cfg, which cannot say how to find these."""

from setuptools import find_packages, setup

# backends/ and demos/ stand at the top of the repository but are installed inside scratchnet.
moved = find_packages(include=["backends*", "demos*"])
setup(packages=[*find_packages(include=["scratchnet*"]), *(f"scratchnet.{each}" for each in moved)])
