"""`scratchnet overfit`: its data, its remedies, and what is claimed."""

import numpy as np
import pytest

from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.overfit.experiment import answer, data, experiment, plot, tables, target
from scratchnet.demos.running import Result
from scratchnet.demos.verdicts import judge


def test_test_points_have_no_noise_and_training_points_of_each_seed_have_their_own() -> None:
    found = data(quick_settings(experiment, points=2000, noise=0.5), [3, 4])
    np.testing.assert_allclose(found.y_test, target(found.X_test), atol=1e-5)
    errors = found.y - target(found.X)
    assert (
        errors.std() == pytest.approx(0.5, rel=0.05)
        and abs(np.corrcoef(*errors[..., 0])[0, 1]) < 0.1
    )


def test_every_remedy_changes_the_largest_network_and_claims_follow() -> None:
    result = run_small(experiment, quick=False, epochs=20, patience=2, points=10, seeds=5)
    plain, *others = [row for row in result.verdict_rows() if row.facts["parameters"] > 10_000]
    assert [row.facts["remedy"] for row in others] == ["dropout", "weight decay", "early stopping"]
    assert all(not np.array_equal(row["test_loss"], plain["test_loss"]) for row in others)
    verdicts = judge(experiment.claims(result))
    assert len(verdicts) == 6 and "001-030" in verdicts[0].claim.ledger
    # Interrupted after its first arm it still has an answer and figures.
    first = Result(result.settings, rows=[plain])
    assert answer(first).count(plain.arm) == 2 and len(tables(first)[0].rows) == 1
    assert plot(first).get_suptitle() == answer(first)
