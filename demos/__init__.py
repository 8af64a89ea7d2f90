"""Experiments on networks and their depth; `scratchnet NAME` runs one.

An experiment is a folder here. Its `__init__.py` holds `SUMMARY` and `PLACE`, its `experiment.py`
an `Experiment` by the name of `experiment`; figures that take more than a few lines stand in
`figures.py`. Outside its folder only the README names it. This is a whole one:

    from dataclasses import dataclass
    from functools import partial

    import numpy as np

    from scratchnet import Adam, mlp
    from scratchnet.datasets import circles
    from scratchnet.demos.drawing import learning_rate_figure
    from scratchnet.demos.experiment import Experiment, Table
    from scratchnet.demos.settings import Common, option
    from scratchnet.demos.tuning import RATES, Arm, points, tuned
    from scratchnet.demos.verdicts import Claim, difference

    TEST = 1000

    @dataclass(frozen=True)
    class Settings(Common):
        widths: tuple[int, ...] = option((2, 16), "Neurons.", low=1, high=1000, chooses_arms=True)
        epochs: int = option(200, "Training steps.", quick=50, low=1)

    def arms(s):
        draw = lambda n, generator: circles(n, seed=generator)
        for width in s.widths:
            def build(seeds, width=width):
                return mlp([2, width, 1], seed=list(seeds), ensemble=len(seeds))
            rates = (0.01,) if s.quick else RATES["adam"]
            yield Arm(f"width {width}", build, points(draw, 100, TEST), Adam, rates, s.epochs,
                      {"width": width})

    def run(run):
        for arm in arms(run.settings):
            tuned(run, arm)

    def claims(result):
        small, large = (f"width {width}" for width in result.settings.widths[:2])
        if small in result and large in result:
            yield Claim(
                "A wider layer separates circles better", "textbooks on universal approximation",
                difference(result[large]["test_accuracy"], result[small]["test_accuracy"], TEST),
                untested=result.untested(small, large))

    def tables(result):
        yield Table(("arm", "rate", "test accuracy"), [
            (row.arm, f"{row.facts['learning_rate']:g}", f"{np.median(row['test_accuracy']):.1%}")
            for row in result.verdict_rows()])

    def figures(result):
        if result.settings.quick:
            return {}
        return {"learning-rates": partial(learning_rate_figure, result, "Wide is easy to tune")}

    experiment = Experiment(
        "circles",
        question="Does a circle need a wide layer?",
        source="textbooks on universal approximation",
        look_for="whether two neurons reach what sixteen do.",
        settings=Settings, run=run, claims=lambda result: list(claims(result)),
        tables=lambda result: list(tables(result)), figures=figures,
        work=lambda s: sum(arm.total_work(s.seeds) for arm in arms(s)),
        seconds=lambda s: 5, next=("scratchnet circles --widths 3,4",))
"""
