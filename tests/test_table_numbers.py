"""`scratchnet train` and `predict`: identifiers, rare classes, and errors in the target's unit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from test_train_demo import predicted, settings, write

from scratchnet.demos.experiment import run_small
from scratchnet.demos.running import shared
from scratchnet.demos.train.data_files import read_table
from scratchnet.demos.train.experiment import Settings, experiment, load, split
from scratchnet.demos.train.linear import ridge
from scratchnet.demos.verdicts import Claim, difference, judge, ratio


def test_identifiers_as_classes_are_compared_as_texts(tmp_path, capsys):
    large = ["10000000000000000001", "10000000000000000002"] * 20
    file = write(tmp_path / "t.csv", {"x": [-1.0, 1.0] * 20, "y": large})
    experiment.main([str(file), "--quick", "--out", str(tmp_path / "out")])
    model = tmp_path / "out" / "model.safetensors"
    few = write(tmp_path / "few.csv", {"x": [-1.0], "y": large[:1]})
    for rows in (file, few):
        assert predicted(model, rows, capsys)[1].startswith("100.0% correct")


def test_a_number_of_any_length_is_read(tmp_path):
    (tmp_path / "t.csv").write_text(f"a,b\n{'1' * 5000},1\n{'1' * 4999}2,2\n")
    assert read_table(tmp_path / "t.csv")["a"].tolist() == ["1" * 5000, "1" * 4999 + "2"]


def test_classes_too_rare_for_the_test_are_named_in_a_quick_run(tmp_path, capsys):
    kind = ["a"] * 20 + ["b"] * 20 + ["c"] * 2
    file = write(tmp_path / "t.csv", {"x": np.arange(42.0), "kind": kind})
    experiment.main([str(file), "--quick", "--epochs", "2", "--out", str(tmp_path / "out")])
    assert "so in no number above: c." in " ".join(capsys.readouterr().out.split())


def test_errors_are_in_the_unit_of_each_splits_target(tmp_path):
    y = np.exp(2 * np.random.default_rng(5).standard_normal(60))
    file = write(tmp_path / "t.csv", {"x": np.arange(60.0), "y": y})
    result = run_small(experiment, **settings(file, epochs=2))
    expected = []
    for seed in range(result.settings.seeds):
        train, validation, test = split(load(result.settings), seed)
        mean = y[np.concatenate([train, validation])].mean()
        expected.append(np.sqrt(((y[test] - mean) ** 2).mean()))
    cells = {row[0]: row[-1] for row in experiment.tables(result)[0].rows}
    assert float(cells["mean"]) == pytest.approx(np.mean(expected), rel=0.005)


def test_the_numbers_of_trained_rows_are_not_called_validation(tmp_path):
    file = write(tmp_path / "t.csv", {"x": np.arange(40.0), "kind": ["a", "b"] * 20})
    result = run_small(experiment, **settings(file, epochs=2))
    assert "validation_score" not in result["network"].measures


@pytest.mark.parametrize("contrast", [partial(difference, test_points=12), ratio])
def test_splits_of_one_table_state_no_difference_that_is_not_there(contrast):
    """Two inputs tell as much of two classes; on each table one of them seems to tell more."""
    generator, tables, n, splits = np.random.default_rng(0), 150, 60, 20
    stated = {0.25: 0, None: 0}
    for _ in range(tables):
        y = np.repeat([0, 1], n // 2)
        X = generator.standard_normal((2, n)) + y
        errors = np.empty((2, splits))
        for i in range(splits):
            train, test = np.split(generator.permutation(n), [n * 4 // 5])
            middle = [
                (x[train][y[train] == 0].mean() + x[train][y[train] == 1].mean()) / 2 for x in X
            ]
            errors[:, i] = [
                ((x[test] > m) != y[test]).mean() for x, m in zip(X, middle, strict=True)
            ]
        for ratio_of_rows in stated:
            (verdict,) = judge([Claim("", "", contrast(*(errors + 0.01), splits=ratio_of_rows))])
            stated[ratio_of_rows] += verdict.name in ("supported", "contradicted")
    assert stated[0.25] <= 0.05 * tables < stated[None]


def test_the_verdicts_of_a_table_know_that_its_splits_share_rows(tmp_path):
    for name, y in (("classes", ["a", "b"] * 20), ("numbers", np.arange(40) + 0.5)):
        file = write(tmp_path / f"{name}.csv", {"x": np.arange(40.0), "y": y})
        result = run_small(experiment, **settings(file, epochs=2))
        assert [each.contrast.splits for each in experiment.claims(result)] == [0.25, 0.25]


@pytest.mark.parametrize("shape", [(30, 4), (20, 40)])
def test_ridge_regression_is_where_its_gradient_is_zero(shape):
    generator = np.random.default_rng(0)
    X, y = generator.standard_normal(shape) + 3, generator.standard_normal((shape[0], 1)) + 5
    w, b = ridge(X, y)
    errors = X @ w + b - y
    np.testing.assert_allclose(X.T @ errors + w, 0, atol=1e-10)
    np.testing.assert_allclose(errors.sum(), 0, atol=1e-10)


def test_the_linear_model_is_no_straw_man_where_inputs_are_as_many_as_rows(tmp_path):
    generator = np.random.default_rng(0)
    X = generator.standard_normal((100, 80))  # as many as each split trains on
    y = X[:, 0] + 0.5 * generator.standard_normal(100)
    np.savez(tmp_path / "t.npz", X=X, y=y)
    result = run_small(experiment, **settings(tmp_path / "t.npz", epochs=1))
    assert result["linear model"]["r2"].min() > -3


def test_a_column_that_counts_the_rows_is_named(tmp_path):
    columns = {"Id": range(1, 41), "x": [0.5, 2.5] * 20, "kind": ["a"] * 20 + ["b"] * 20}
    result = run_small(experiment, **settings(write(tmp_path / "t.csv", columns), epochs=1))
    found = [note for note in experiment.notes(result) if "counts the rows" in note]
    assert len(found) == 1 and "'Id'" in found[0]


def test_test_rows_that_were_trained_on_are_counted(tmp_path):
    """Of copies, pairs stand next to each other; a row of another target is none."""
    x = np.repeat(np.arange(30) + 0.25, 2)
    cases = {
        "copies": (x, np.repeat(["a", "b"] * 15, 2)),
        "another target": (x, np.tile(["a", "b"], 30)),
        "all different": (np.arange(60) + 0.25, np.tile(["a", "b"], 30)),
    }
    for name, (inputs, kind) in cases.items():
        signed = np.where(inputs > 15, 1.0, np.tile([0.0, -0.0], 30))
        file = write(tmp_path / f"{name}.csv", {"x": inputs, "zero": signed, "kind": kind})
        result = run_small(experiment, **settings(file, epochs=1))
        expected = total = 0
        for seed in range(result.settings.seeds):
            *trained, test = split(load(result.settings), seed)
            rows = list(zip(inputs, kind, strict=True))
            known = {rows[place] for place in np.concatenate(trained)}
            expected += sum(rows[place] in known for place in test)
            total += len(test)
        notes = [each for each in experiment.notes(result) if "among the rows trained on" in each]
        beginning = f"{expected} of {total} test rows in 2 splits also occur among"
        assert [each.startswith(beginning) for each in notes] == [True] * bool(expected)
        assert (name == "copies") <= (expected > 10)


def test_another_place_for_the_model_trains_nothing_anew():
    first, second = (Settings(save=place) for place in (None, Path("other")))
    assert shared(first) == shared(second)


def test_the_saved_networks_score_has_the_interval_of_its_own_test_rows(tmp_path):
    """One network on 8 rows: 8 of 8 right is no 100 %."""
    file = write(tmp_path / "t.csv", {"x": [-1.0, 1.0] * 20, "kind": ["a", "b"] * 20})
    result = run_small(experiment, **settings(file, epochs=60))
    assert result["network"]["test_accuracy"][0] == 1
    found = " ".join(experiment.notes(result))
    assert "100.0 % correct of 8 test rows (95 % interval 67.6 to 100.0)" in found
