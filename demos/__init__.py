"""Experiments on networks and their depth; `scratchnet NAME` runs one.

An experiment is a folder here. Its `__init__.py` holds `SUMMARY` and `PLACE`, its `experiment.py`
an `Experiment` by the name of `experiment`, whose parts are what has their names in the module;
figures that take more than a few lines are `drawings(result)` in `figures.py`. Outside its folder
only the README names it. This is a whole one:

    from dataclasses import dataclass
    from functools import partial

    from scratchnet import Adam
    from scratchnet.datasets import circles
    from scratchnet.demos.drawing import rate_figures
    from scratchnet.demos.experiment import Experiment, Table
    from scratchnet.demos.settings import Common, option
    from scratchnet.demos.tuning import RATES, Arm, networks, points
    from scratchnet.demos.verdicts import difference

    TEST = 1000

    @dataclass(frozen=True)
    class Settings(Common):
        widths: tuple[int, ...] = option((2, 16), "Neurons.", low=1, high=1000, chooses_arms=True)
        epochs: int = option(200, "Training steps.", quick=50, low=1)

    def arms(s):
        draw = lambda n, generator: circles(n, seed=generator)
        data, rates = points(draw, 100, TEST), (0.01,) if s.quick else RATES["adam"]
        for width in s.widths:
            build = partial(networks, s, [2, width, 1])
            yield Arm(f"width {width}", build, data, Adam, rates, s.epochs, {"width": width})

    def claims(result):
        small, large = (f"width {width}" for width in result.settings.widths[:2])
        yield from result.claim(
            "A wider layer separates circles better", "textbooks on universal approximation",
            partial(difference, test_points=TEST), large, small)

    def tables(result):
        cells = "{arm} | {learning_rate:g} | {test_accuracy:.1%}"
        yield Table.of(result.verdict_rows(), "arm | rate | test accuracy", cells)

    def figures(result):
        return rate_figures(result)

    experiment = Experiment.of(
        __name__,
        question="Does a circle need a wide layer?",
        source="textbooks on universal approximation",
        look_for="whether two neurons reach what sixteen do.",
        seconds=lambda s: 5,
        next=("scratchnet circles --widths 3,4",),
    )
"""
