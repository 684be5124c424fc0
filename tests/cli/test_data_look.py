"""The verbs that look: what they tell of search interest, calendars and odd names, and what they refuse."""

import pytest


@pytest.fixture
def interest(seawall, tmp_path):
    """A store with the weekly search interest in bitcoin and the monthly one in gold; the words that name it."""
    words = ("--data-dir", tmp_path / "data")
    weekly, monthly = tmp_path / "weekly.csv", tmp_path / "monthly.csv"
    weekly.write_text("Week,bitcoin: (Worldwide)\n2024-01-07,12\n2024-01-14,100\n2024-01-21,50\n")
    monthly.write_text("Month,gold: (Worldwide)\n2024-01,50\n2024-02,100\n")
    assert seawall("data", "fetch", "trends", weekly, monthly, *words).code == 0
    return words


def test_search_interest_is_listed_and_told_of_as_what_it_is(seawall, interest):
    listed = seawall("data", "list", *interest)
    assert [line.split() for line in listed.out.splitlines()] == [
        ["search", "interest", "values", "first", "last"],
        ["trends/bitcoin/1w", "3", "2024-01-07", "2024-01-21"],
        ["trends/gold/1mo", "2", "2024-01-01", "2024-02-01"],
    ]
    told = seawall("data", "info", "trends/gold/1mo", *interest)
    assert told.code == 0
    assert "trends/gold/1mo: search interest, 2 values, 2024-01-01 to 2024-02-01" in told.out
    assert seawall("data", "info", "trends/bitcoin/1w", "--json", *interest).json["facts"]["region"] == "Worldwide"


@pytest.mark.parametrize("reference", ["trends/bitcoin/1w", "trends/gold/1mo"])
@pytest.mark.parametrize(
    "words",
    [
        ("data", "check", "SERIES"),
        ("data", "resample", "SERIES", "--to", "2w"),
        ("data", "align", "SERIES", "--output", "panel.csv"),
        ("data", "export", "SERIES", "--csv", "out.csv"),
        ("data", "update", "SERIES"),
        ("train", "tradernet", "data=SERIES"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_search_interest_is_refused_where_bars_are_wanted(seawall, interest, tmp_path, monkeypatch, words, reference):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = seawall(*(word.replace("SERIES", reference) for word in words), *interest)
    assert result.code == 2
    assert f"{reference} holds search interest in" in result.err
    assert "no bars" in result.err
    assert f"data.trends.path={reference}" in result.err
    assert sorted(tmp_path.rglob("*")) == before
