"""Parquet files, which need the extra 'data'."""

import numpy as np
import pytest

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
