"""`scratchnet train` beside scikit-learn's networks of the same size, on five tables.

Both choose among the same learning rates on the same five tuning splits by their validation rows,
and are compared on the test rows of thirty other splits, pair by pair. The first interval is over
the splits of this very table, which is bounded; the second, of Nadeau and Bengio (2003), allows
for the rows that the splits share, and says what another table of the kind might give.
"""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ledger import enter

from scratchnet.demos.experiment import run_small
from scratchnet.demos.train.columns import fitted
from scratchnet.demos.train.experiment import NETWORK, experiment, load, score_of, split
from scratchnet.demos.tuning import FIRST_TUNING_SEED, RATES, TUNING_SEEDS

SPLITS = 30
WIDTHS = (32, 32)
EPOCHS = 300
TABLES = ("iris", "wine", "breast_cancer", "digits", "diabetes")
ALLOWED = {"classification": -0.02, "regression": -0.03}
"""Of the lower end of the 95 % interval of ours minus theirs: accuracy, R^2."""


def write_table(name: str, file: Path) -> None:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    np.savez(file, X=found.data, target=found.target)


def theirs(prepared, rate: float, seed: int, part: int) -> float:
    """Of scikit-learn's network on the validation rows (1) or test rows (2) of a split.

    Before the test it is trained on training and validation rows together, as ours is.
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    is_class = prepared.encoding.task == "classification"
    make = MLPClassifier if is_class else MLPRegressor
    network = make(
        hidden_layer_sizes=WIDTHS,
        learning_rate_init=rate,
        max_iter=EPOCHS,
        random_state=seed % 2**31,
    )
    places = list(split(prepared, seed))
    if part == 2:
        places[0] = np.concatenate(places[:2])
    encoding = fitted(prepared.encoding, prepared.raw[places[0]], prepared.y[places[0]])
    X = [encoding.standardised(prepared.raw[rows]) for rows in places]
    y = [prepared.y[rows] for rows in places]
    if not is_class:
        y = [(each - encoding.target_mean) / encoding.target_deviation for each in y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(X[0], y[0])
    return float(network.score(X[part], y[part]))


@pytest.mark.campaign
def test_networks_of_tables_are_as_good_as_those_of_scikit_learn(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'data'")
    from scipy import stats

    lines = []
    for name in TABLES:
        file = tmp_path / f"{name}.npz"
        write_table(name, file)
        result = run_small(
            experiment, quick=False, file=file, widths=WIDTHS, epochs=EPOCHS, seeds=SPLITS
        )
        prepared = load(result.settings)
        score = partial(theirs, prepared)
        tuning = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + TUNING_SEEDS)
        means = [np.mean([score(rate, seed, 1) for seed in tuning]) for rate in RATES["adam"]]
        rate = RATES["adam"][int(np.argmax(means))]
        ours = result[NETWORK][score_of(result.settings)[0]]
        other = np.array([score(rate, seed, 2) for seed in range(SPLITS)])
        differences = ours - other
        half = stats.t.ppf(0.975, SPLITS - 1) * differences.std(ddof=1) / np.sqrt(SPLITS)
        low = differences.mean() - half
        train, validation, test = map(len, split(prepared, 0))
        wider = np.sqrt(1 + SPLITS * test / (train + validation))
        lines.append(
            f"{name} {ours.mean():.3f} against {other.mean():.3f}, difference "
            f"{differences.mean():+.3f} ± {half:.3f} (± {half * wider:.3f})"
        )
        print(lines[-1], flush=True)
        assert low > ALLOWED[prepared.encoding.task], lines
    enter(
        "tables",
        f"{SPLITS} splits, ours against scikit-learn's, 95 % intervals over the splits, and in "
        f"brackets with the rows that they share (Nadeau and Bengio): {'; '.join(lines)}",
    )
