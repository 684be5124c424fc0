"""The page of features: what it tells, in which order, what it escapes, and that many columns stay small."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from seawall.core.errors import ConfigError, DataError
from seawall.core.market import RowRange
from seawall.evaluation.feature_facts import feature_facts
from seawall.evaluation.feature_figures import column_figure, feature_correlation_figure
from seawall.evaluation.feature_page import FeatureView, feature_html, write_feature_page
from seawall.market.splits import Split

SPLIT = Split(RowRange(10, 7_000), RowRange(7_000, 8_500), RowRange(8_500, 10_000), 0)


def view(columns, rows=10_000, split=SPLIT, drifts=None):
    """Columns of noise; each of `drifts` moves by so many deviations after the training rows."""
    block = np.random.default_rng(0).standard_normal((rows, len(columns))).astype(np.float32)
    block[: split.train.start] = np.nan
    for name, by in (drifts or {}).items():
        block[split.train.stop :, columns.index(name)] += by
    parts = {"training": split.train, "validation": split.validation, "test": split.test}
    spans = {
        part: {"first": "2024-01-01T00:00:00", "last": "2024-02-01T00:00:00", "bars": len(held)} for part, held in parts.items()
    }
    return FeatureView("small: set on X 1h", columns, block, split, split.train.start, feature_facts(block, columns, split), spans)


def numbers(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]) if isinstance(packed, dict) else np.array(packed)


def test_columns_stand_in_the_order_of_their_drift_with_a_word_for_it():
    html = feature_html(view(["calm", "moved", "nudged"], drifts={"moved": 2.0, "nudged": 0.4}))
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    assert re.findall(r'<a href="#column-\d">(\w+)</a>', body) == ["moved", "nudged", "calm"]
    assert re.findall(r'<td class="\w+">(\w+)</td>', body) == ["strong", "some", "little"]
    assert "3 columns over 10,000 bars: 1 drifts strongly, 1 drifts to some extent, 1 drifts little." in html


def test_a_column_that_never_changes_is_counted_and_drawn():
    seen = view(["calm", "flat"])
    seen.block[:, 1] = 3.0
    html = feature_html(replace(seen, facts=feature_facts(seen.block, seen.columns, SPLIT)))
    assert "1 never changes in the training rows" in html
    assert json.loads(column_figure(seen.block[:, 1], SPLIT, "flat").to_json())["data"]


def test_names_and_notes_are_escaped():
    html = feature_html(replace(view(["<b>x</b>", "y"]), title="<i>t</i>", notes=["<u>n</u>"]))
    assert not re.search(r"<b>x|<i>t|<u>n", html)
    assert "&lt;b&gt;x&lt;/b&gt;" in html


def test_the_parts_of_a_figure_hold_every_row_and_the_legend_names_them():
    values = view(["x"]).block[:, 0].astype(np.float64)
    figure = json.loads(column_figure(values, SPLIT, "x").to_json())
    lines = {trace["name"]: numbers(trace["y"]) for trace in figure["data"] if trace["type"] == "scatter"}
    assert list(lines) == ["training", "validation", "test"]
    assert [round(float(shares.sum()), 3) for shares in lines.values()] == [100.0, 100.0, 100.0]
    assert max(map(len, lines.values())) == 50


def test_each_of_a_few_values_has_a_bin_of_its_own():
    values = np.full(10_000, 1.0)
    values[SPLIT.train.start : SPLIT.train.stop : 2] = 0.0
    values[SPLIT.train.start + 1] = 5.0
    figure = json.loads(column_figure(values, SPLIT, "x").to_json())
    rows = len(SPLIT.train)
    of_each = [(rows + 1) // 2, rows // 2 - 1, 1]
    np.testing.assert_allclose(numbers(figure["data"][0]["y"]), 100.0 * np.array(of_each) / rows, rtol=1e-6)


def test_the_correlation_figure_names_every_column_but_not_at_every_tick():
    columns = [f"column_{number}" for number in range(150)]
    figure = json.loads(feature_correlation_figure(view(columns).block, columns, SPLIT).to_json())
    assert figure["data"][0]["x"] == columns
    assert len(figure["layout"]["xaxis"]["tickvals"]) <= 60


def test_a_page_of_two_hundred_columns_is_below_eight_megabytes_and_draws_columns_when_they_are_near():
    columns = [f"1d_a_column_of_a_rather_long_name_{number}" for number in range(200)]
    html = feature_html(view(columns))
    assert len(html.encode()) < 8 * 2**20
    assert len(re.findall(r'class="figure later"', html)) == 200
    assert len(re.findall(r'class="figure"', html)) == 1


def test_a_page_is_refused_where_it_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="at least one column"):
        feature_html(view([]))
    (tmp_path / "page.html").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        write_feature_page(tmp_path / "page.html", view(["x"]))
