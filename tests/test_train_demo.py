"""`scratchnet train` and `predict`: tables as people have them, and what is stored with a model."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.demos.experiment import run_small
from scratchnet.demos.predict.command import main as predict
from scratchnet.demos.train.columns import Encoding, encoding_of, fitted, prepare
from scratchnet.demos.train.data_files import read_table
from scratchnet.demos.train.experiment import (
    data,
    experiment,
    least_cross_entropy,
    load,
    split,
)

RNG = np.random.default_rng(0)


def write(path, columns):
    """A CSV file of these columns, with None for what is missing."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture
def flowers(tmp_path):
    """Ninety rows of three kinds, told apart by a number and a colour; some cells are missing."""
    kind = np.repeat(["lily", "rose", "tulip"], 30)
    size = np.repeat([1.0, 4.0, 4.0], 30) + 0.3 * RNG.standard_normal(90)
    colour = np.repeat(["white", "red", "yellow"], 30).astype(object)
    size = [*size.tolist()[:-1], None]
    colour[0] = None
    return write(tmp_path / "flowers.csv", {"size": size, "colour": colour, "kind": kind})


def settings(file, **more):
    return {"file": file, "out": file.parent / "out", **more}


def test_words_numbers_and_missing_cells_become_inputs(flowers):
    prepared = prepare(read_table(flowers), "kind")
    assert prepared.encoding.classes == ("lily", "rose", "tulip")
    assert [(each.name, each.words) for each in prepared.encoding.columns] == [
        ("size", ()),
        ("colour", ("red", "white", "yellow")),
    ]
    assert prepared.notes == (
        "column 'size': 1 missing value",
        "column 'colour': 1 missing value",
    )
    encoding = fitted(prepared.encoding, prepared.raw, prepared.y)
    X = encoding.standardised(prepared.raw)
    assert X[-1, 0] == 0  # a missing number is the mean
    assert X[0, 1:].tolist() == [0, 0, 0] and X[1, 1:].tolist() == [0, 1, 0]
    np.testing.assert_allclose([X[:-1, 0].mean(), X[:-1, 0].std()], [0, 1], atol=1e-6)


def test_a_saved_model_predicts_the_rows_that_it_was_trained_on(flowers, capsys):
    assert experiment.main([str(flowers), "--quick", "--out", str(flowers.parent / "out")]) == 0
    capsys.readouterr()
    model = flowers.parent / "out" / "model.safetensors"
    assert predict([str(model), str(flowers)]) == 0
    shown = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    truth = [row["kind"] for row in csv.DictReader(open(flowers))]
    right = np.mean([row["kind"] == true for row, true in zip(rows, truth, strict=True)])
    assert right > 0.9
    assert f"{right:.1%} correct of 90 rows" in shown.err
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)


def test_columns_in_another_order_and_without_the_target_give_the_same(flowers, capsys, tmp_path):
    experiment.main([str(flowers), "--quick", "--out", str(flowers.parent / "out")])
    model = str(flowers.parent / "out" / "model.safetensors")
    capsys.readouterr()
    rows = list(csv.DictReader(open(flowers)))
    other = write(
        tmp_path / "other.csv",
        {name: [row[name] for row in rows] for name in ("colour", "size")} | {"more": range(90)},
    )
    predict([model, str(flowers)])
    first = capsys.readouterr().out
    predict([model, str(other)])
    assert capsys.readouterr().out == first
    predict([model, str(other), "--json"])
    assert list(json.loads(capsys.readouterr().out)) == ["kind", "probability"]


def test_new_words_are_told_and_a_missing_column_is_an_error(flowers, capsys, tmp_path):
    experiment.main([str(flowers), "--quick", "--out", str(flowers.parent / "out")])
    model = str(flowers.parent / "out" / "model.safetensors")
    predict([model, str(write(tmp_path / "b.csv", {"size": [1.0], "colour": ["blue"]}))])
    assert "words that training had not: ['blue']" in capsys.readouterr().err
    with pytest.raises(InputError, match="column 'colour' is missing: must be there"):
        predict([model, str(write(tmp_path / "c.csv", {"size": [1.0]}))])
    with pytest.raises(InputError, match="'size' holds 'x': must hold numbers"):
        predict([model, str(write(tmp_path / "d.csv", {"size": ["x"], "colour": ["red"]}))])
    with pytest.raises(InputError, match="'colour' holds '3': must hold words"):
        predict([model, str(write(tmp_path / "e.csv", {"size": [1.0], "colour": [3.0]}))])


def test_a_regression_predicts_in_the_unit_of_its_target(tmp_path, capsys):
    x = RNG.uniform(-1, 1, 200)
    file = write(tmp_path / "line.csv", {"x": x, "y": 1000 + 50 * x})
    result = run_small(experiment, **settings(file, epochs=200))
    assert load(result.settings).encoding.task == "regression"
    assert result["network"]["r2"].min() > 0.95
    assert result["linear model"]["r2"].min() > 0.999
    assert result["mean"]["r2"].max() < 0.01
    experiment.main([str(file), "--quick", "--epochs", "200", "--out", str(tmp_path / "o")])
    capsys.readouterr()
    predict([str(tmp_path / "o" / "model.safetensors"), str(file)])
    rows = capsys.readouterr().out.split()[1:]
    np.testing.assert_allclose([float(row) for row in rows], 1000 + 50 * x, atol=15)


def test_each_seed_splits_anew_and_standardises_by_its_training_rows(flowers):
    s = run_small(experiment, **settings(flowers, epochs=1)).settings
    prepared = load(s)
    first, second = split(prepared, 0), split(prepared, 1)
    assert sorted(np.concatenate(first).tolist()) == list(range(90))
    assert [len(part) for part in first] == [54, 18, 18]
    assert first[0].tolist() != second[0].tolist()
    together, alone = data(s, [0, 1]), data(s, [1])
    assert np.array_equal(together.X_test[1], alone.X_test[0])
    assert np.array_equal(together.y_test, alone.y_test)
    assert abs(together.X[0, :, 0].mean()) < 1e-6


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "holds no rows"),
        ("a,b\n1,2\n3\n", "line 3: 1 values; must be 2"),
        ("a,a\n1,2\n", "2 columns are called 'a'; must have different names"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("1,2\n3,4\n", "'1' is a number; must be the names"),
        ('a,b\n"1,2\n', "line"),
        ("<html><body>a, b</body></html>\n", "holds no rows"),
        ("only\n" + "1\n2\n" * 20, "no column besides 'only'"),
        ("a,b\n" + "1,7\n2,7\n" * 20, "'b' has one value only"),
        ("a,b\n" + "x,1\n" * 40, "'b' has one value only"),
        ("a,b\n" + "1,1\n1,2\n" * 20, "no column besides 'b'"),
        ("a,b\n" + "".join(f"n{i},{i % 2}\n" for i in range(99)), "words, such as 'n0'"),
        ("a,b\n1,2\n2,1\n3,2\n", "has 3 rows: must have at least 20"),
        ("a,b\n" + "1,\n2,\n" * 20, "'b' has no value at all"),
        ("a,b\n" + "".join(f"{i},w{i // 2}\n" for i in range(40)), "must have a class of 5 rows"),
        ("a,b\n" + "".join(f"{i},{i + 0.5}\n" for i in range(39)) + "1,1e300\n", "too large"),
    ],
)
def test_what_is_no_table_gets_one_line(tmp_path, text, message):
    file = tmp_path / "table.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        experiment.main([str(file), "--quick", "--out", str(tmp_path / "out")])
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00a,b\n", b"PK\x03\x04broken"])
@pytest.mark.parametrize("name", ["t.csv", "t.npz"])
def test_broken_files_get_one_line(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        prepare(read_table(tmp_path / name), "a")


def test_classes_of_many_digits_stay_apart():
    goal = np.array([1000001.0, 1000002.0] * 20)
    assert prepare({"x": np.arange(40.0), "y": goal}, "y", "classification").encoding.classes == (
        "1000001",
        "1000002",
    )


def test_a_target_called_probability_keeps_its_column(tmp_path, capsys):
    x = np.arange(40.0)
    file = write(tmp_path / "p.csv", {"x": x, "probability": np.where(x < 20, "low", "high")})
    experiment.main([str(file), "--quick", "--out", str(tmp_path / "out")])
    capsys.readouterr()
    predict([str(tmp_path / "out" / "model.safetensors"), str(file)])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["probability"] for row in rows} <= {"low", "high"}


def test_a_folder_for_a_file_is_refused_before_training(flowers, tmp_path):
    with pytest.raises(InputError, match="--save .*: is a folder; must be a file"):
        experiment.main([str(flowers), "--save", str(tmp_path), "--out", str(tmp_path / "out")])


def test_an_unknown_target_and_a_wrong_task_name_the_column(flowers):
    table = read_table(flowers)
    with pytest.raises(InputError, match="unknown column 'kinds'.*did you mean 'kind'"):
        prepare(table, "kinds")
    with pytest.raises(InputError, match="'kind' holds words; must hold numbers"):
        prepare(table, "kind", "regression")


def test_separators_decimal_commas_and_a_byte_order_mark(tmp_path):
    file = tmp_path / "german.csv"
    file.write_text("\ufefflänge;breite;art\n1,5;2;a\n?;3;b\n", "utf-8")
    table = read_table(file)
    assert list(table) == ["länge", "breite", "art"]
    assert table["länge"][0] == 1.5 and np.isnan(table["länge"][1])


@pytest.mark.parametrize(
    ("name", "cells", "wrong"),
    [
        ("a.csv", "size;colour\n1,5;red\n2,5;red\nabc;red\n", "abc"),
        ("a.tsv", "size\tcolour\n1,5\tred\n-1,e3\tred\nabc\tred\n", "abc"),
        ("a.csv", 'size,colour\n,red\n"1,5",red\n"2,5",red\n', "1,5"),
    ],
)
def test_the_cell_that_is_no_number_is_named(flowers, tmp_path, name, cells, wrong):
    """A decimal comma is no fault where commas separate nothing."""
    experiment.main([str(flowers), "--quick", "--out", str(flowers.parent / "out")])
    (tmp_path / name).write_text(cells)
    with pytest.raises(InputError, match=f"'size' holds '{wrong}': must hold numbers"):
        predict([str(flowers.parent / "out" / "model.safetensors"), str(tmp_path / name)])


def test_arrays_of_npz_become_columns(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.arange(6.0).reshape(3, 2), y=np.array(["a", "b", "a"]))
    table = read_table(tmp_path / "a.npz")
    assert list(table) == ["X_0", "X_1", "y"]
    assert table["X_1"].tolist() == [1, 3, 5] and table["y"].tolist() == ["a", "b", "a"]


@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from(["red", "blue", "1e3", "NA"])),
        min_size=4,
        max_size=30,
    )
)
def test_any_column_is_encoded_without_nan_and_survives_its_file(cells):
    table = {"x": cells_as_column(cells), "n": np.arange(len(cells), dtype=float)}
    goal = np.array([float(i % 2) for i in range(len(cells))])
    prepared = prepare({**table, "y": goal}, "y")
    encoding = fitted(prepared.encoding, prepared.raw, prepared.y)
    again = encoding_of(json.loads(json.dumps(encoding.described())))
    assert isinstance(again, Encoding) and again == encoding
    X = encoding.standardised(prepared.raw)
    assert np.isfinite(X).all() and np.abs(X).max() < 100


def cells_as_column(cells):
    from scratchnet.demos.train.data_files import column

    return column(["" if cell is None else str(cell) for cell in cells])


def test_the_linear_model_is_where_its_gradient_is_zero():
    X = np.concatenate([RNG.standard_normal((60, 3)), np.ones((60, 1))], axis=1)
    targets = np.eye(3)[(X[:, :3] + 0.5 * RNG.standard_normal((60, 3))).argmax(axis=1)]
    W = least_cross_entropy(X, targets)
    scores = np.exp(X @ W)
    slopes = X.T @ (scores / scores.sum(axis=1, keepdims=True) - targets)
    slopes[:-1] += W[:-1]
    assert np.abs(slopes).max() / 60 < 1e-4
