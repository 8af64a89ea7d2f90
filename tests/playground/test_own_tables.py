"""Tables from the page: what is read, and a sentence for whatever is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused
from tabs import Tab

from scratchnet import InputError
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.state import state_from
from scratchnet.demos.playground.tables import MOST_TABLES, Table, Tables, read
from scratchnet.extras import is_installed

ROWS = "".join(f"{i},{i * i % 7},{i % 3},{'xyz'[i % 3]}\n" for i in range(30))
CSV = ("a,b,c,kind\n" + ROWS).encode()


def test_columns_are_described() -> None:
    described = read(b"a,b,kind\n1,x,red\n?,y,blue\n3,,red\n", "t.csv").described()
    assert described["rows"] == 3
    assert [(each["name"], each["kind"], each["different"], each["missing"])
            for each in described["columns"]] == [
        ("a", "numbers", 2, 1), ("b", "words", 2, 1), ("kind", "words", 2, 0),
    ]  # fmt: skip
    assert described["notes"] == ["column 'a': 1 missing value", "column 'b': 1 missing value"]


@pytest.mark.parametrize(
    ("content", "must"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a\n1\n2\n", "one column"),
        (b"1,2\n3,4\n", "must be the names"),
        (b"a,b\n", "no rows"),
        (b"a,a\n1,2\n", "2 columns are called 'a'"),
        (b"a,b\n1,2,3\n", "must be 2"),
        (b"a,b\n1\n", "must be 2"),
        (bytes(range(256)) * 10, "UTF-8"),
        (b"\x00\x01\x02", "a byte of 0: must be CSV"),
        (b"PAR1 rubbish PAR1", "Parquet"),
        (b"\x89PNG\r\n\x1a\n\x00", "must be CSV in UTF-8, or Parquet"),
        (b"<!doctype html>\n<p>a, b</p>\n", "must be"),
        (b'a,b\n"1,2\n', "line"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "line 2"),
        (b"a" * 100 + b",b" * 2000 + b"\n", "columns are called 'b'"),
        (b"a,b\n" + b"1,2\n" * 200_001, "200,001 rows: must have at most 200,000"),
        (b"a,b\n" + b"1" + b",2" * 2_000_001, "values: must have at most 2,000,000"),
    ],
)
def test_what_is_no_table_gets_a_sentence(content: bytes, must: str) -> None:
    if content.startswith(b"PAR1"):
        pytest.importorskip("pyarrow", reason="needs the extra 'data'")
    with pytest.raises(InputError) as error:
        read(content, "up.csv")
    assert must in str(error.value)
    assert "up.csv" in str(error.value) and "/tmp" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_is_trained_on() -> None:
    tab = Tab()
    table = tab.tables.add(read(CSV, "t.csv"))
    data = {"kind": "table", "table": table, "columns": ["a", "b"], "label": "kind"}
    tab.do("set", state={"data": data})
    state, _ = tab.last("state")
    assert state["classes"] == ["x", "y", "z"] and state["names"] == ["a", "b"]
    X = tab.session.task.X
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X.std(axis=0), 1, atol=1e-6)
    tab.do("set", state={"data": {"kind": "table", "table": table}})
    assert tab.last("state")[0]["names"] == ["principal component 1", "principal component 2"]


@pytest.mark.parametrize(
    ("data", "must"),
    [
        ({"columns": ["a", "nothing"]}, "unknown column 'nothing'"),
        ({"columns": ["a", "kind"]}, "holds words"),
        ({"columns": ["a"]}, "two different columns"),
        ({"columns": ["a", "a"]}, "two different columns"),
        ({"label": "a"}, "30 different values"),
        ({"label": "one"}, "unknown column 'one'"),
    ],
)
def test_columns_that_do_not_fit(data: dict[str, object], must: str) -> None:
    tab = Tab()
    table = tab.tables.add(read(CSV, "t.csv"))
    error = tab.only("set", state={"data": {"kind": "table", "table": table, **data}})
    assert error["say"] == "error" and must in error["sentence"]


def test_missing_values_leave_rows_out() -> None:
    rows = "".join(f"{'' if i % 5 == 0 else i},{i},{'' if i % 7 == 0 else 'xy'[i % 2]}\n"
                   for i in range(70))  # fmt: skip
    tab = Tab()
    table = tab.tables.add(read(("a,b,c\n" + rows).encode(), "t.csv"))
    tab.do("set", state={"data": {"kind": "table", "table": table}})
    task = tab.session.task
    assert len(task.X) + len(task.X_test) == sum(i % 5 != 0 and i % 7 != 0 for i in range(70))
    assert task.notes == ("22 rows with a missing value: left out",)


def test_numbers_that_are_too_large() -> None:
    rows = "".join(f"-{i}e300,{i},{i % 2}\n" for i in range(1, 20))
    tab = Tab()
    table = tab.tables.add(read(("a,b,c\n" + rows).encode(), "t.csv"))
    error = tab.only("set", state={"data": {"kind": "table", "table": table}})
    assert "holds -1e+300: must be from -1e+18 to 1e+18" in error["sentence"]


def test_the_oldest_table_goes() -> None:
    tables = Tables()
    first, *others = [tables.add(Table(str(i), {})) for i in range(MOST_TABLES + 1)]
    with refused("must be a table"):
        tables.get(first)
    assert [tables.get(each).name for each in others] == [str(i + 1) for i in range(MOST_TABLES)]


@pytest.mark.skipif(
    not (is_installed("pandas") and is_installed("pyarrow")), reason="needs the extra 'data'"
)
def test_parquet() -> None:
    import io

    import pandas

    frame = pandas.DataFrame({"a": range(20), "b": range(20), "kind": list("xy") * 10})
    content = io.BytesIO()
    frame.to_parquet(content)
    table = read(content.getvalue(), "t.parquet")
    assert [each["kind"] for each in table.described()["columns"]] == [
        "numbers",
        "numbers",
        "words",
    ]
    with pytest.raises(InputError, match="Parquet"):
        read(content.getvalue()[:-20] + b"x" * 20, "t.parquet")


CELLS = st.sampled_from(
    ["1", "2", "-3.5", "1e308", "inf", "nan", "", "?", "x", "y", "<b>", "0", '"q"']
)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=25).map(
    lambda rows: "\n".join(["a,b,c", *(",".join(row) for row in rows)]).encode()
)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300) | st.text('a,1;"\n\r\t|?.x', max_size=200).map(str.encode) | TABLES)
def test_any_bytes_are_a_table_or_a_sentence(content: bytes) -> None:
    try:
        table = read(content, "t.csv")
    except InputError as error:
        assert "t.csv" in str(error) or "pyarrow" in str(error)
        return
    table.described()
    tables = Tables()
    names = list(table.columns)
    for columns in ((), tuple(names[:2])):
        data = {"kind": "table", "table": tables.add(table), "columns": columns}
        try:
            task = make_task(state_from({"data": data}).data, tables)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert np.isfinite(task.X).all() and np.isfinite(task.X_test).all()
            assert len(task.classes) >= 2 and task.y.max() < len(task.classes)
