"""The table and the picture of ``docs/performance.md``."""

from pathlib import Path

from tests.bench.report import BEGIN, END, Row, update


def test_rows_that_were_measured_replace_theirs_and_the_others_stay(tmp_path: Path) -> None:
    page, chart = tmp_path / "page.md", tmp_path / "chart.svg"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    update(page, chart, [Row("cost", 4.0, 3.0), Row("part", 0.99, 0.98, "", high=True, more="all")])
    update(page, chart, [Row("cost", 2.0, 3.0, more="twice")])
    table = page.read_text()
    assert "| cost | <= 3 x | 2 x; twice |" in table
    assert "| part | >= 0.98 | 0.99; all |" in table
    assert "not reached" not in table
    assert table.startswith("before")
    assert table.endswith("after\n")
    assert chart.read_text().count("<rect") == 3
