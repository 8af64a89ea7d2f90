"""`scratchnet train` and `predict`: tables as people have them, and what is stored with a model."""

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.checkpoint import load_model, load_task, save_model
from scratchnet.demos.experiment import run_small
from scratchnet.demos.predict.command import main as predict
from scratchnet.demos.train.columns import Encoding, encoding_of, fitted, prepare
from scratchnet.demos.train.data_files import read_table
from scratchnet.demos.train.experiment import data, experiment, load, split
from scratchnet.demos.train.linear import least_cross_entropy

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
        (
            "a,b\n" + "".join(f"{i},{i}\n" for i in range(40)) + "1,old\n",
            "rows or more; 'old' is no",
        ),
        (
            "a,b\n" + "".join(f"{i},{i}\n" for i in range(2000)) + "1,old\n",
            "regression; 'old' is no",
        ),
        ("1,2,hi\n3,4,lo\n5,6,hi\n", "line 1: 'hi' is a value of its column too"),
        ("a;b\n" + "1,5;2\n1.5;3\n", "'a' holds '1,5' and '1.5': must be decimal commas or"),
        ("a;b\n" + "1,500;2\n" * 5 + "999;3\n", "'1,500' and '999': must be numbers without"),
        ("a,b\n1,x\0\n", "holds a byte of 0"),
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


def predicted(model, file, capsys):
    """The rows of `scratchnet predict`, and what it told."""
    capsys.readouterr()
    assert predict([str(model), str(file)]) == 0
    shown = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(shown.out))), shown.err


@pytest.fixture
def houses(tmp_path):
    """A model of classes and a column that are words, though many of them look like numbers."""
    number = ["01", "2", "3a"] * 20
    file = write(tmp_path / "houses.csv", {"number": number, "side": ["1", "02", "1b"] * 20})
    experiment.main([str(file), "--quick", "--epochs", "20", "--out", str(tmp_path / "out")])
    return tmp_path / "out" / "model.safetensors"


def test_words_that_look_like_numbers_stay_words(houses, tmp_path, capsys):
    few = write(tmp_path / "few.csv", {"number": ["01", "2"], "side": ["1", "02"]})
    rows, told = predicted(houses, few, capsys)
    assert [row["side"] for row in rows] == ["1", "02"]
    assert told == "100.0% correct of 2 rows\n"
    other = write(tmp_path / "other.csv", {"number": ["1", "2"]})
    with pytest.raises(InputError, match="'number' holds '7': must hold words"):
        predict([str(houses), str(write(tmp_path / "no.csv", {"number": ["7", "8"]}))])
    assert "words that training had not: ['1']" in predicted(houses, other, capsys)[1]


def test_what_is_told_of_a_target_that_cannot_be_compared(flowers, tmp_path, capsys):
    experiment.main([str(flowers), "--quick", "--epochs", "2", "--out", str(tmp_path / "f")])
    row = {"size": [1.0], "colour": ["red"]}
    new = write(tmp_path / "new.csv", {**row, "kind": ["daisy"]})
    told = predicted(tmp_path / "f" / "model.safetensors", new, capsys)[1]
    assert "Column 'kind' has classes that training had not: ['daisy']" in told
    line = write(tmp_path / "line.csv", {"x": np.arange(60.0), "y": np.arange(60) + 0.5})
    experiment.main([str(line), "--quick", "--epochs", "2", "--out", str(tmp_path / "l")])
    model = tmp_path / "l" / "model.safetensors"
    for cells, told in (
        (["1", "old"], "Column 'y' holds 'old', so that nothing can be compared"),
        (["1", "inf"], "on 1 row"),
        (["", ""], ""),
        (["1", "1"], "on 2 rows"),
    ):
        rows, said = predicted(model, write(tmp_path / "n.csv", {"x": [1, 2], "y": cells}), capsys)
        assert len(rows) == 2 and told in said and "warning" not in said
        assert bool(told) == bool(said)


def test_a_column_that_is_missing_brings_the_nearest_name(flowers, tmp_path, capsys):
    experiment.main([str(flowers), "--quick", "--epochs", "2", "--out", str(tmp_path / "f")])
    other = write(tmp_path / "other.csv", {"SIZE": [1], "colour": ["red"]})
    with pytest.raises(InputError, match="'size' is missing.*did you mean 'SIZE'"):
        predict([str(tmp_path / "f" / "model.safetensors"), str(other)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"classes": ["lily"]}, "with 1 classes"),
        ({"classes": ["lily", "lily", "rose"]}, "must be different texts"),
        ({"classes": "abc"}, "must be different texts"),
        ({"classes": ["a", "b", "c", "d"]}, "3 outputs: must have 4 for 4 classes"),
        ({"classes": ["a", "b"]}, "3 outputs: must have 1 for 2 classes"),
        ({"task": "regression"}, "'regression' with 3 classes"),
        ({"task": "regression", "classes": []}, "3 outputs: must have 1 for a regression"),
        ({"target": "size"}, "must be different texts"),
        ({"target": 3}, "must be different texts"),
        ({"deviation": [0.0, 1.0, 1.0, 1.0]}, "deviations above 0"),
        ({"mean": [math.nan, 0.0, 0.0, 0.0]}, "means must be finite"),
        ({"target_deviation": "x"}, "could not convert"),
    ],
)
def test_a_damaged_description_is_refused(flowers, tmp_path, capsys, changed, message):
    experiment.main([str(flowers), "--quick", "--epochs", "1", "--out", str(tmp_path / "f")])
    file = tmp_path / "f" / "model.safetensors"
    described = load_task(file)["table"] | changed
    save_model(tmp_path / "changed", load_model(file), task={"table": described})
    with pytest.raises(InputError, match=message):
        predict([str(tmp_path / "changed"), str(flowers)])


def test_a_folder_for_a_file_is_refused_before_training(flowers, tmp_path):
    with pytest.raises(InputError, match="--save .*: is a folder; must be a file"):
        experiment.main([str(flowers), "--save", str(tmp_path), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "text in UTF-16"),
        (b"\x1f\x8b\x08\x00", "compressed"),
        (b"PK\x03\x04spreadsheet", "an archive"),
        (b"\x93NUMPY\x01", "one array"),
        ("a,b\n1,ö\n".encode("latin-1"), "no text in UTF-8 .byte 6."),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, content, kind):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=f"t.csv is {kind}.*: must be CSV in UTF-8"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ('a,b\n"1,234",x\n"1,234,567.5",x\n999,x\n', [1234, 1234567.5, 999]),
        ("a;b\n1.234,5;x\n999,25;x\n", [1234.5, 999.25]),
        ("a;b\n1,125;x\n2;x\n", [1.125, 2]),
        ("a,b\n#N/A,x\n<NA>,x\n.,x\n-1.#IND,x\n2,x\n", [np.nan] * 4 + [2]),
        ('"a";"x; y"\n1;x\n', [1]),
        ('a,"x; y; z"\n1,x\n', [1]),
        ("2019,kind\n1,x\n2,y\n", [1, 2]),
    ],
)
def test_numbers_as_people_write_them(tmp_path, text, numbers):
    (tmp_path / "t.csv").write_text(text)
    first = next(iter(read_table(tmp_path / "t.csv").values()))
    np.testing.assert_array_equal(first.astype(float), numbers)


@pytest.mark.parametrize("text", ["a,b\n1_000,x\n", 'a,b\n"1,5",x\n', 'a,b\n"0,125",x\n'])
def test_what_could_be_another_number_stays_a_text(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    assert read_table(tmp_path / "t.csv")["a"].dtype == object


def test_a_row_without_any_value_is_a_row(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n,\n\n2,y\n")
    table = read_table(tmp_path / "t.csv")
    np.testing.assert_array_equal(table["a"], [1, np.nan, 2])
    assert table["b"].tolist() == ["x", None, "y"]


def test_none_is_a_word_beside_words_and_a_missing_value_beside_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("pain,size\nnone,None\nmild,2\nNA,3\n")
    table = read_table(tmp_path / "t.csv")
    assert table["pain"].tolist() == ["none", "mild", None]
    np.testing.assert_array_equal(table["size"], [np.nan, 2, 3])


def test_identifiers_that_float64_merges_stay_apart(tmp_path):
    numbers = np.array([12345678901234567, 12345678901234568])
    np.savez(tmp_path / "t.npz", a=numbers, b=[1, 2])
    (tmp_path / "t.csv").write_text("a,b\n12345678901234567,1\n12345678901234568,2\n")
    for name in ("t.npz", "t.csv"):
        assert read_table(tmp_path / name)["a"].tolist() == [str(each) for each in numbers]
    (tmp_path / "t.csv").write_text("a,b\n12345678901234567,1\n22345678901234568,2\n")
    assert read_table(tmp_path / "t.csv")["a"].dtype == np.float64


def test_no_array_of_npz_hides_another(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((3, 2)), X_0=np.zeros(3))
    with pytest.raises(InputError, match="2 columns are called 'X_0'"):
        read_table(tmp_path / "a.npz")


def test_a_word_among_numbers_is_named(tmp_path):
    cells = [f"{i}.5" for i in range(60)]
    few = {"x": cells_as_column([*cells[:30], "oops"]), "y": np.arange(31.0) % 2}
    assert "column 'x' counts as words: 'oops' is no number" in prepare(few, "y").notes
    many = {"x": cells_as_column([*cells, "oops"]), "z": np.arange(61.0), "y": np.arange(61.0) % 2}
    found = "it holds 61 different words, such as '0.5'; 'oops' is no number"
    left_out = f"column 'x' is left out: {found}"
    assert prepare(many, "y").notes == (left_out,)
    with pytest.raises(InputError, match="column 'x' holds 'oops': must hold numbers"):
        prepare(many, "x", "regression")


def test_numbers_are_standardised_whatever_their_size():
    x = RNG.standard_normal(50)
    for size in (1e-300, 1e-160, 1e17):
        prepared = prepare({"x": size * x, "y": size * x}, "y", "regression")
        encoding = fitted(prepared.encoding, prepared.raw, prepared.y)
        np.testing.assert_allclose(encoding.standardised(prepared.raw).std(), 1, rtol=1e-6)
        np.testing.assert_allclose(encoding.target_deviation / size, x.std(), rtol=1e-6)


def test_no_r2_where_the_test_rows_are_alike(tmp_path, capsys):
    file = write(tmp_path / "t.csv", {"x": np.arange(60), "y": [1e16] + [0.25, 0.5] * 29 + [0.25]})
    out = str(tmp_path / "out")
    assert experiment.main([str(file), "--quick", "--epochs", "2", "--out", out]) == 0
    shown = capsys.readouterr()
    assert "No R^2 in" in shown.out and "nan" not in shown.out and "warning" not in shown.err


def test_names_with_signs_of_formulas_and_terminals_are_drawn_as_they_are(tmp_path, capsys):
    x = np.arange(40)
    kind = np.where(x < 20, r"$\frac$", "a\x1b[31mb")
    file = write(tmp_path / "t.csv", {"x": x, r"$\frac$ $": kind})
    out = str(tmp_path / "out")
    assert experiment.main([str(file), "--quick", "--epochs", "2", "--out", out]) == 0
    assert (tmp_path / "out" / "train.png").exists()
    assert "\x1b[31m" not in capsys.readouterr().out


def test_an_unknown_target_and_a_wrong_task_name_the_column(flowers):
    table = read_table(flowers)
    with pytest.raises(InputError, match="unknown column 'kinds'.*did you mean 'kind'"):
        prepare(table, "kinds")
    with pytest.raises(InputError, match="'kind' holds words; must hold numbers"):
        prepare(table, "kind", "regression")
    many = {f"c{i}": table["size"] for i in range(2000)} | {"Kind": table["kind"]}
    with pytest.raises(InputError, match="and 1,901 more; did you mean 'Kind'") as raised:
        prepare(many, "kind")
    assert len(str(raised.value)) < 1000


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
    file = tmp_path / "a.npz"
    is_b = np.array([False, True, False])
    np.savez(file, X=np.arange(6.0).reshape(3, 2), y=np.array(["a", "b", "a"]), is_b=is_b)
    table = read_table(file)
    assert list(table) == ["X_0", "X_1", "y", "is_b"]
    assert table["is_b"].tolist() == ["False", "True", "False"]  # as in CSV
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
