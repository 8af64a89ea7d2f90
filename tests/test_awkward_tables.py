"""`scratchnet train` and `predict`: tables as other programs write them, and what they may hide."""

import sys

import numpy as np
import pytest
from test_train_demo import predicted, write

from scratchnet.backends.errors import InputError
from scratchnet.demos import command_line
from scratchnet.demos.predict.command import main as predict
from scratchnet.demos.train.columns import fitted, prepare
from scratchnet.demos.train.data_files import read_table
from scratchnet.demos.train.experiment import experiment


def trained(file, *options):
    """The model's file, after few epochs."""
    out = file.parent / "out"
    arguments = [str(file), "--quick", "--epochs", "5", "--out", str(out), *options]
    assert experiment.main(arguments) == 0
    return out / "model.safetensors"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b,\n1,x,\n2,y,\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a,b\n1,x, ,\n2,y\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("a,b,,\n1,,\n2,y,,\n", {"a": [1, 2], "b": [None, "y"]}),
        ("PAR1,b\n1,x\n", {"PAR1": [1], "b": ["x"]}),
        ("BZh,b\n1,x\n", {"BZh": [1], "b": ["x"]}),
        ("a,b\n+,#DIV/0!\n-,2\n", {"a": ["+", "-"], "b": [np.nan, 2]}),
        ("a,b\nx,1\n-,2\n", {"a": ["x", None], "b": [1, 2]}),
    ],
)
def test_nothing_is_lost_and_nothing_invented(tmp_path, text, columns):
    (tmp_path / "t.csv").write_text(text)
    found = read_table(tmp_path / "t.csv")
    assert list(found) == list(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(found[name], np.array(values, found[name].dtype))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,\n1,x,\n2,y,3\n", "column 3 has no name"),
        ("a,,b\n1,,x\n", "column 2 has no name"),
        ("a,b\n1,x,,3\n", "line 2: 4 values; must be 2"),
        ("x,up\ny,up\nx,down\ny,down\nz,x\nx,up\n", "lines 1 and 6 are alike"),
        ("x,up\ny,down\nx,down\ny,up\n", "'x' is a value of its column too"),
        ("a b\n1 2\n" * 20, "are alike"),
        ("a b\n" + "1 2\n3 4\n" * 20, "no comma, semicolon, tab or | separates"),
        ("a,b\n" + "".join(f"{i},{i} kg\n" for i in range(40)), "or more; '0 kg' is no number"),
        ("a,b\n" + "".join(f"{i},kg{i}\n" for i in range(2000)), "regression; 'kg0' is no number"),
        ("a,b\n" + "".join(f"{i},{i / 2}\n" for i in range(40)) + "1,-inf\n", "'b' holds -inf"),
        ("a,b\n" + "1,2\n2,3\n" * 9 + "1,\n" * 3, "18 rows.*split; 3 rows without 'b': left out"),
        ("a,b\n" + "1,2\n2,3\n" * 20 + "1,inf\n", "'b' holds inf, which is too large"),
    ],
)
def test_the_message_names_what_is_wrong(tmp_path, recwarn, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        experiment.main([str(tmp_path / "t.csv"), "--quick", "--out", str(tmp_path / "out")])
    assert not recwarn.list


@pytest.mark.parametrize(
    ("separator", "cells", "unit", "numbers"),
    [
        (",", ["12 %", "-3%", "NA", "0.5 %"], "%", [12, -3, np.nan, 0.5]),
        (",", ["12,5 %", "3 %"], "%", [12.5, 3]),
        (";", ["3,125 %", "12,5%"], "%", [3.125, 12.5]),
        (",", ["$1,200.50", "$ 950", "-$3", "$-4"], "$", [1200.5, 950, -3, -4]),
        (",", ["$1,200", "$950"], "$", [1200, 950]),
        (";", ["$1,200.50", "$950.25"], "$", [1200.5, 950.25]),
        (",", ["1.200,50 €", "€ 5"], "€", [1200.5, 5]),
        (";", ["1.200,50 €", "950,00 €"], "€", [1200.5, 950]),
        (",", ["1.459 €", "1.5 €"], "€", [1.459, 1.5]),
        # Each of these may be two numbers, or is none.
        (",", ["1.200 €", "950 €"], "", []),
        (";", ["$1,200", "$950"], "", []),
        (";", ["1.200 €", "2.500,50 €"], "", []),
        (",", ["1,125 %", "3 %"], "", []),
        (",", ["$5", "€5"], "", []),
        (",", ["$5", "5"], "", []),
        (",", ["5 %", "many %"], "", []),
        (",", ["5 %%", "5 %"], "", []),
        (",", ["$", "$5"], "", []),
        (",", ["nan %", "inf %"], "", []),
    ],
)
def test_numbers_with_one_unit_are_numbers(tmp_path, separator, cells, unit, numbers):
    rows = "".join(f'"{cell}"{separator}x\n' for cell in cells)
    (tmp_path / "t.csv").write_text(f"a{separator}b\n{rows}", "utf-8")
    table = read_table(tmp_path / "t.csv")
    assert table.units.get("a", "") == unit
    expected = numbers if unit else cells
    np.testing.assert_array_equal(table["a"], np.array(expected, table["a"].dtype))
    assert unit or table["a"].dtype == object


def test_a_unit_is_kept_with_the_model_and_another_refused(tmp_path, capsys):
    prices = [f"${1000 + i:,}.5" for i in range(40)]
    columns = {"price": prices, "share": [f"{i} %" for i in range(40)], "y": ["a", "b"] * 20}
    model = trained(write(tmp_path / "t.csv", columns))
    assert "- Column 'price': read as numbers in $." in capsys.readouterr().out
    few = {name: values[:2] for name, values in columns.items()}
    written = write(tmp_path / "few.csv", few | {"price": ["$1,000.50", "$1001.5"]})
    rows, told = predicted(model, written, capsys)
    assert len(rows) == 2 and "of 2 rows" in told
    plain = predicted(model, write(tmp_path / "few.csv", few | {"price": ["", ""]}), capsys)
    assert len(plain[0]) == 2
    for cells, found in (
        (["1000.5", "1001"], "numbers without a unit"),
        (["€5", "€6"], "numbers in €"),
    ):
        other = write(tmp_path / "other.csv", few | {"price": cells})
        with pytest.raises(InputError, match=f"'price' holds {found}: must be in [$], as in"):
            predict([str(model), str(other)])
    other = write(tmp_path / "other.csv", few | {"price": ["$5", "€6"]})
    with pytest.raises(InputError, match="'price' holds '[$]5': must hold numbers"):
        predict([str(model), str(other)])


def test_a_target_with_a_unit_is_a_number_or_a_class_as_it_stands(tmp_path, capsys):
    x = np.arange(60.0)
    numbers = write(tmp_path / "n.csv", {"x": x, "y": [f"{each + 0.5} %" for each in x]})
    rows, told = predicted(trained(numbers), numbers, capsys)
    assert float(rows[0]["y"]) < 40 and "RMSE" in told
    classes = write(tmp_path / "c.csv", {"x": x, "y": np.where(x < 30, "10 %", "20 %")})
    rows, told = predicted(trained(classes), classes, capsys)
    assert {row["y"] for row in rows} <= {"10 %", "20 %"} and "correct of 60 rows" in told


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"BZh91AY&SY\x93\x00", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x89PNG\r\n", "an image"),
        (b"PAR1\x15\x00", "Parquet"),
        (b"%PDF-1.4\n\xe2", "a PDF"),
    ],
)
def test_a_file_of_another_kind_is_named_by_its_kind(tmp_path, content, kind):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=f"t.csv is .*{kind}"):
        read_table(tmp_path / "t.csv")


def test_none_is_not_blamed_for_a_column_of_words():
    cells = np.array([*map(str, range(30)), None, "None", "oops"], object)
    notes = prepare({"x": cells, "y": np.arange(33.0) % 2}, "y").notes
    assert "column 'x' counts as words: 'oops' is no number" in notes


def test_a_minus_stays_a_class_where_the_new_table_has_no_plus(tmp_path, capsys):
    sign = ["+", "-"] * 20
    model = trained(write(tmp_path / "t.csv", {"x": range(40), "s": sign, "y": sign}))
    few = write(tmp_path / "few.csv", {"x": [1, 2], "s": ["-", "-"], "y": ["-", "-"]})
    told = predicted(model, few, capsys)[1]
    assert "missing" not in told and "of 2 rows" in told


def test_identifiers_as_classes_are_predicted_as_they_stand_in_the_table(tmp_path, capsys):
    """In float64 9007199254740993 is 9007199254740992."""
    large = ["9007199254740993", "9007199254740995"] * 20
    model = trained(write(tmp_path / "t.csv", {"x": [-1.0, 1.0] * 20, "y": large}))
    assert {row["y"] for row in predicted(model, tmp_path / "t.csv", capsys)[0]} <= set(large)


def test_predictions_have_the_digits_in_which_they_differ(tmp_path, capsys):
    x = np.arange(60.0)
    model = trained(write(tmp_path / "t.csv", {"x": x, "y": 1e9 + x + 0.5}))
    rows = predicted(model, tmp_path / "t.csv", capsys)[0]
    assert len({row["y"] for row in rows}) > 30


def test_what_no_training_row_holds_reaches_no_weight():
    cells = np.array(["a", "b", "a", "rare"], object)
    table = {"w": cells, "x": np.array([2.0, 2.0, 2.0, 1e6]), "z": np.arange(4.0)}
    prepared = prepare({**table, "y": np.array([0.0, 1.0, 0.0, 1.0])}, "y")
    encoding = fitted(prepared.encoding, prepared.raw[:3], prepared.y[:3])
    X = encoding.standardised(prepared.raw)
    assert X[3, :4].tolist() == [0, 0, 0, 0]
    assert X[:3, :2].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert encoding.words_seen()["w"] == ["a", "b"]


ESCAPE = "\x1b[31m"


def test_no_word_of_a_table_steers_the_terminal(tmp_path, capsys, monkeypatch):
    kind = np.where(np.arange(40) < 20, f"{ESCAPE}red", "blue")
    file = write(tmp_path / "t.csv", {"x": range(40), f"{ESCAPE}name": range(40), "kind": kind})
    arguments = ["train", str(file), "--quick", "--out", str(tmp_path / "out"), "--target"]
    assert command_line.main([*arguments, "nope"]) == command_line.BAD_INPUT
    assert "known are x, \\x1b[31mname, kind" in capsys.readouterr().err
    model = trained(file)
    capsys.readouterr()
    assert predict([str(model), str(file)]) == 0
    assert ESCAPE in capsys.readouterr().out  # another program gets the class as it is
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert predict([str(model), str(file)]) == 0
    shown = capsys.readouterr().out
    assert ESCAPE not in shown and "\\x1b[31mred" in shown and shown.count("\n") == 41


def test_a_closed_output_is_no_mistake_of_the_program(tmp_path, capsys, monkeypatch):
    kind = np.where(np.arange(40) < 20, "red", "blue")
    model = trained(write(tmp_path / "t.csv", {"x": range(40), "kind": kind}))
    monkeypatch.setattr(sys, "stdout", None)
    assert predict([str(model), str(tmp_path / "t.csv")]) == 0
