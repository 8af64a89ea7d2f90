"""Parquet files, which need the extra 'data'."""

import numpy as np
import pytest

from scratchnet.backends.errors import InputError
from scratchnet.demos.train.data_files import read_table

pandas = pytest.importorskip("pandas", reason="needs the extra 'data'")
pytest.importorskip("pyarrow", reason="needs the extra 'data'")


def test_the_columns_of_a_parquet_file_are_numbers_words_and_missing_values(tmp_path):
    frame = pandas.DataFrame(
        {
            "whole": pandas.array([1, None, 3], dtype="Int64"),
            "number": [0.5, np.nan, 2.0],
            "yes": [True, False, True],
            "word": pandas.Categorical(["b", None, "a"]),
            "text": pandas.array(["x", "y", None], dtype="string[pyarrow]"),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(table["whole"], [1, np.nan, 3])
    np.testing.assert_array_equal(table["number"], [0.5, np.nan, 2])
    assert table["word"].tolist() == ["b", None, "a"]
    assert table["text"].tolist() == ["x", "y", None]
    assert table["yes"].tolist() == ["True", "False", "True"]


def test_a_named_index_and_texts_in_bytes_are_columns_like_others(tmp_path):
    frame = pandas.DataFrame({"kind": [b"a", b"\xc3\xbc"]}, index=pandas.Index([7, 8], name="id"))
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert list(table) == ["id", "kind"]
    assert table["id"].tolist() == [7, 8] and table["kind"].tolist() == ["a", "ü"]


def test_a_damaged_file_gets_one_line(tmp_path):
    pandas.DataFrame({"x": range(50), "y": ["a", "b"] * 25}).to_parquet(tmp_path / "t.parquet")
    content = np.fromfile(tmp_path / "t.parquet", np.uint8)
    generator = np.random.default_rng(0)
    for _ in range(100):
        damaged = content.copy()
        damaged[generator.integers(4, len(content) - 8, 20)] = generator.integers(0, 256, 20)
        damaged.tofile(tmp_path / "d.parquet")
        try:
            read_table(tmp_path / "d.parquet")
        except InputError as error:
            assert "\n" not in str(error) and "d.parquet" in str(error)
