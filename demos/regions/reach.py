"""What networks of an architecture reach: random ones, and the best that a search finds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scratchnet.demos.random_networks import random_networks
from scratchnet.demos.regions.architectures import Architecture
from scratchnet.demos.running import Advance, Run
from scratchnet.depth.regions import Plane, plane_regions
from scratchnet.model import mlp

# The search changes one neuron at a time: a step of one of these sizes for all its weights and its
# bias, for the bias alone, or new ones altogether. It starts from so many random networks.
STEP_SIZES = (0.03, 0.1, 0.3, 1.0)
ANEW, ALL_WEIGHTS, CLIMBS = 0.2, 0.4, 4

Found = tuple[tuple[int, int], Mapping[str, Any]]
"""Linear regions and activation patterns of a network, and its weights."""


def compare(run: Run, network: Architecture, plane: Plane) -> None:
    """Count the regions of random networks of an architecture, then search for more."""
    s = run.settings
    seeds = tuple(range(s.seed, s.seed + s.seeds))
    ensemble = random_networks([2, *network.hidden, 1], seeds, len(seeds), s.backend, s.bias)
    facts = {"network": str(network)}

    def count(advance: Advance) -> Any:
        """Regions and patterns of each random network, and the weights of a median one."""
        counts = []
        for number in range(len(seeds)):
            regions = plane_regions(ensemble, plane, number)
            counts.append((regions.linear_count, regions.count))
            advance()
        linear, patterns = np.array(counts).T
        typical = int(np.argsort(linear, kind="stable")[len(linear) // 2])
        return {"linear": linear, "patterns": patterns}, ensemble.state_dict(typical)

    random = run.row(f"{network.words}, random", facts, seeds, count, len(seeds))

    def climb(advance: Advance) -> Any:
        """The counts of the best network found from the best random ones, and its weights."""
        ranking = np.argsort(-random["linear"])
        starts = [ensemble.state_dict(int(each)) for each in ranking[:CLIMBS]]
        (linear, patterns), weights = search(network, plane, starts, s.search, s.seed, advance)
        return {"linear": np.array([linear]), "patterns": np.array([patterns])}, weights

    run.row(
        f"{network.words}, best found", facts | {"search": s.search}, (s.seed,), climb, s.search
    )


def search(
    network: Architecture,
    plane: Plane,
    starts: Sequence[Mapping[str, Any]],
    steps: int,
    seed: int,
    advance: Advance,
) -> Found:
    """The best of so many networks, each a change of one neuron, which is kept unless it loses.

    Half of the steps goes to climbs from every start, the rest to the one that came highest. Linear
    regions count first, patterns decide between equals. No step is made at the upper bound.
    """
    model, rng = mlp([2, *network.hidden, 1], dtype="float64"), np.random.default_rng(seed)
    most = network.bounds()["at_most"]

    def counted(weights: Mapping[str, Any]) -> Found:
        """Regions and patterns of a network with these weights, beside the weights."""
        model.load_state_dict(weights)
        regions = plane_regions(model, plane)
        return (regions.linear_count, regions.count), weights

    def climb(best: Found, steps: int) -> Found:
        """The best after so many changes of one neuron, each kept unless it loses."""
        for _ in range(steps):
            advance()
            if best[0][0] < most:
                found = counted(changed(best[1], rng))
                best = found if found[0] >= best[0] else best
        return best

    share = steps // (2 * len(starts))
    best = max((climb(counted(each), share) for each in starts), key=lambda found: found[0])
    return climb(best, steps - share * len(starts))


def changed(weights: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """A copy with other weights into one hidden neuron, drawn from all of them alike."""
    copy = {name: each.copy() for name, each in weights.items()}
    layers = [name.removesuffix(".weight") for name in weights if name.endswith("weight")][:-1]
    neurons = [(layer, i) for layer in layers for i in range(len(weights[f"{layer}.bias"]))]
    layer, neuron = neurons[rng.integers(len(neurons))]
    into, bias = copy[f"{layer}.weight"][:, neuron], copy[f"{layer}.bias"]
    kind, size = rng.random(), rng.choice(STEP_SIZES)
    if kind < ANEW:
        into[:], bias[neuron] = rng.standard_normal(len(into)), rng.standard_normal()
    else:
        bias[neuron] += size / 2 * rng.standard_normal()
        if kind < ANEW + ALL_WEIGHTS:
            into += size * rng.standard_normal(len(into))
    return copy
