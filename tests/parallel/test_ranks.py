"""Training on 1, 2, 3 and 4 ranks is that of one process: see `cases.py`, which mpiexec starts."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")

from scratchnet.backends.compile import compiler_available
from scratchnet.launching import launched


def needs_a_compiler() -> None:
    if reason := compiler_available():
        pytest.skip(reason)


HERE = Path(__file__).parent
RANKS = (1, 2, 3, 4)
ROUNDING = 1e-12
"""In float64, where the numbers are about 1; BatchNorm and Adam make roundings larger."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `cases.py` finds on so many ranks, by case; each start of mpiexec is made once."""
    folder = tmp_path_factory.mktemp("ranks")

    @cache
    def of(ranks: int, how: str = "replayed") -> dict[str, Any]:
        path = folder / f"{ranks}-{how}.json"
        command, environment = launched(ranks, [str(HERE / "cases.py"), how, str(path)])
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(json.loads(path.read_text()))

    return of


def trainings(found: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in found.items() if "distance" in each}


@pytest.mark.parametrize("how, fewest", [("replayed", 25), ("compiled", 2)])
@pytest.mark.parametrize("ranks", RANKS)
def test_any_number_of_ranks_trains_as_one_process(
    found: Any, ranks: int, how: str, fewest: int
) -> None:
    if how == "compiled":
        needs_a_compiler()
    cases = trainings(found(ranks, how))
    assert len(cases) >= fewest
    assert not [name for name, each in cases.items() if not each["same on all ranks"]]
    assert not [name for name, each in cases.items() if not each["same length"]]
    # A training that moves nothing would agree with any.
    assert not [name for name, each in cases.items() if each["moved"] < 1e-3]
    far = {name: each["distance"] for name, each in cases.items() if each["distance"] > ROUNDING}
    assert not far


@pytest.mark.parametrize("how", ["replayed", "compiled"])
def test_one_rank_gives_the_same_bits(found: Any, how: str) -> None:
    if how == "compiled":
        needs_a_compiler()
    cases = trainings(found(1, how))
    assert not [name for name, each in cases.items() if not each["same bits"]]


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_a_step_that_one_rank_cannot_compile_is_replayed_by_all(found: Any, ranks: int) -> None:
    needs_a_compiler()
    (said, _), *others = found(ranks, "compiled")["without"]
    refusal = f"the step is replayed: rank {ranks - 1} of {ranks}: call 7, wishful"
    assert said == [refusal]
    assert not [warned for warned, _ in others if warned]
    assert all(same for _, same in found(ranks, "compiled")["without"])


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_ranks_on_unlike_processors_do_not_compile(found: Any, ranks: int) -> None:
    needs_a_compiler()
    said = found(ranks, "compiled")["processor"]
    beginning = f"rank {ranks - 1} of {ranks} has another processor than rank 0: of kind "
    assert len(said) == ranks and len(set(said)) == 1
    assert said[0].startswith(beginning)


@pytest.mark.parametrize("ranks", RANKS)
def test_a_checkpoint_is_written_by_rank_0_and_any_number_of_ranks_goes_on(
    found: Any, ranks: int
) -> None:
    resumed = found(ranks)["resumed"]
    assert resumed["calls"] == [[0, 1], *[[]] * (ranks - 1)]
    assert max(resumed["distances"]) < ROUNDING


@pytest.mark.parametrize("ranks", RANKS)
def test_early_stopping_goes_on_from_what_rank_0_has_read(found: Any, ranks: int) -> None:
    assert found(ranks)["watched on"] == [[True, "early stopping", True]] * ranks


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_wrong_input_on_one_rank_is_refused_by_all(found: Any, ranks: int) -> None:
    said = found(ranks)["refusals"]
    beginnings = {
        "nan": f"rank {ranks - 1} of {ranks}: X[0, 0] is nan",
        "empty": f"rank {ranks - 1} of {ranks}: X of shape (0, 2)",
        "batch_size": f"rank 1 of {ranks} has another batch_size than rank 0: 4; must be 3",
        "compile": f"rank {ranks - 1} of {ranks}"
        + (": compile=True" if compiler_available() else " has another compiler than rank 0: "),
        "rate": f"rank {ranks - 1} of {ranks} has another learning_rate of the optimizer than rank "
        "0: 1.1; must be 0.1",
        "slope": f"rank {ranks - 1} of {ranks} has another slope of layer 1 than rank 0: 1.1; must",
        "frozen": f"rank {ranks - 1} of {ranks} has another requires_grad of 0.weight than rank 0",
        "class_weight": f"rank {ranks - 1} of {ranks} has another class_weight than rank 0",
        "loss setting": f"rank {ranks - 1} of {ranks} has another loss_settings than rank 0",
        "every": f"rank {ranks - 1} of {ranks}: every of a callback is 0: must be",
        "type": f"rank {ranks - 1} of {ranks}: y",
        "weights": "all weights are 0",
        "loss": f"mini-batches on {ranks} ranks with the loss '<lambda>'",
        "communicator": "communicator is of type str",
    }
    assert said.keys() == beginnings.keys()
    for name, beginning in beginnings.items():
        assert len(said[name]) == ranks
        assert len(set(said[name])) == 1, name
        assert said[name][0].startswith(beginning)


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_a_group_of_batches_takes_one_sum(found: Any, ranks: int) -> None:
    sums, steps = found(ranks)["sums"]
    assert sums == steps == 6


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_networks_diverge_on_all_ranks_alike_and_one_warns(found: Any, ranks: int) -> None:
    of_each = found(ranks)["diverging"]
    assert len(of_each) == ranks
    for rank, ((stopped, epochs, first, warned), (ended, last, both, all_warned)) in enumerate(
        of_each
    ):
        assert (stopped, epochs, len(first)) == ("epochs", 4, 1)
        assert first[0].startswith("network 1: the loss was not finite at epoch 1, first seen in")
        assert (ended, last, len(both)) == ("diverged", 2, 2)
        assert (warned, all_warned) == ((1, 2) if rank == 0 else (0, 0))
        assert both == of_each[0][1][2]
