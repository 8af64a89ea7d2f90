"""The figures of `scratchnet width`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from scratchnet.demos.drawing import rate_figures
from scratchnet.demos.figures import Axes, Figure, new_figure
from scratchnet.demos.running import Result
from scratchnet.demos.verdicts import Verdict

COLORS = {"supported": "#009E73", "contradicted": "#D55E00", "equivalent": "#0072B2"}
OTHERS, GREY = "undecided or not tested", "#666666"
KINDS = {
    "ratio": "first / second: ratio of test errors, or of pieces or steps",
    "difference": "first - second: difference of accuracies in points",
}


def drawings(result: Result, verdicts: Sequence[Verdict]) -> Mapping[str, Callable[[], Figure]]:
    """Every figure by name."""
    found = {"verdicts": partial(grid, verdicts)} if verdicts else {}
    targets = dict.fromkeys(row.facts["target"] for row in result.rows)
    groups = {
        name: [arm for arm in result.tuned if arm.startswith(f"{name}: ")] for name in targets
    }
    return found | rate_figures(result, groups)


def grid(verdicts: Sequence[Verdict]) -> Figure:
    """A line for each claim: seeds, and the interval that decides it."""
    groups = {
        kind: [each for each in reversed(verdicts) if each.claim.contrast.kind == kind]
        for kind in KINDS
    }
    groups = {kind: members for kind, members in groups.items() if members}
    heights = [len(members) + 1 for members in groups.values()]
    figure, axes = new_figure(
        len(groups), width=9, height=1.6 + 0.3 * sum(heights), squeeze=False, height_ratios=heights
    )
    for panel, (kind, members) in zip(axes[:, 0], groups.items(), strict=True):
        intervals(panel, members, is_ratio=kind == "ratio")
        panel.set_xlabel(KINDS[kind])
    for name, color in {**COLORS, OTHERS: GREY}.items():
        axes[0, 0].plot([], [], "o-", color=color, label=name)
    figure.legend(loc="outside lower center", ncols=4)
    names = [each.name for each in verdicts]
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    figure.suptitle(f"Claims about depth and width: {counts}")
    return figure


def intervals(panel: Axes, verdicts: Sequence[Verdict], is_ratio: bool) -> None:
    """The claims of one kind; what counts as no difference is shaded."""
    scale, margin = 1 if is_ratio else 100, verdicts[0].claim.tolerance
    nothing = (1 / (1 + margin), 1 + margin) if is_ratio else (-100 * margin, 100 * margin)
    panel.axvspan(*nothing, color="#E4E4E4")
    for place, verdict in enumerate(verdicts):
        contrast, color = verdict.claim.contrast, COLORS.get(verdict.name, GREY)
        first, second = np.array(contrast.first), np.array(contrast.second)
        seeds = first / second if is_ratio else 100 * (first - second)
        panel.plot(seeds, [place] * len(seeds), "o", color=color, ms=3, mew=0, alpha=0.35)
        if verdict.interval:
            panel.plot(scale * np.array(verdict.interval), [place, place], color=color)
            panel.plot(scale * np.array([verdict.estimate]), place, "o", color=color, ms=6)
    panel.set_yticks(range(len(verdicts)), [each.claim.sentence for each in verdicts])
    panel.set_ylim(-0.6, len(verdicts) - 0.4)
    panel.grid(axis="y", visible=False)
    if is_ratio:
        panel.set_xscale("log")
        low, high = panel.get_xlim()
        steps = (1, 2, 5) if high < 500 * low else (1,)
        ticks = [step * 10.0**power for power in range(-6, 6) for step in steps]
        panel.set_xticks([tick for tick in ticks if low < tick < high])
        panel.set_xticks([], minor=True)
        panel.xaxis.set_major_formatter("{x:g}")
