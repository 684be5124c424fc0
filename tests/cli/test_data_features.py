"""``seawall data features`` and ``data cache``: what they tell, what they write, and what they refuse."""

import pytest

SMALL = ("data.kind=planted_edge", "data.n_bars=3000")


@pytest.fixture
def words(tmp_path):
    return ("--data-dir", tmp_path / "data")


def test_features_are_described_with_their_drift_from_the_training_rows(seawall, words):
    told = seawall("data", "features", "tradernet", *SMALL, *words)
    assert told.code == 0
    assert "the first 384 of 3,000 bars warm up" in told.out
    facts = seawall("data", "features", "tradernet", *SMALL, *words, "--json").json
    assert (facts["rows"], facts["warmup"], facts["page"]) == (3_000, 384, None)
    assert len(facts["facts"]) == 19
    hour = next(fact for fact in facts["facts"] if fact["column"] == "hour")
    assert (hour["low"], hour["high"], hour["drift"]) == (0.0, 1.0, "little")
    # 384 of 3,000 bars.
    assert hour["missing"] == pytest.approx(0.128, abs=1e-12)
    assert "whole_seconds" not in facts


def test_a_profile_has_every_column_slowest_first_and_the_whole_set(seawall, words):
    told = seawall("data", "features", "tradernet", *SMALL, *words, "--profile", "--json").json
    seconds = [column["seconds"] for column in told["columns"]]
    assert len(seconds) == 19
    assert seconds == sorted(seconds, reverse=True)
    assert told["whole_seconds"] > 0.0
    assert told["rows"] == 3_000
    assert told["live_milliseconds"] > 0.0
    shown = seawall("data", "features", "tradernet", *SMALL, *words, "--profile")
    assert "Whole set:" in shown.out
    assert "the sum is more than the whole" in shown.out


def test_a_page_is_written_where_it_is_asked_for(seawall, words, tmp_path):
    assert seawall("data", "features", "tradernet", *SMALL, *words, "--plot", "--output", tmp_path / "mine").code == 0
    assert "tradernet: technical on PLANTED 1h" in (tmp_path / "mine" / "tradernet.html").read_text()
    assert seawall("data", "features", "tradernet", *SMALL, *words, "--plot").code == 0
    assert (tmp_path / "data" / "features" / "tradernet.html").is_file()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("no-such-recipe",), "no-such-recipe"),
        (("tradernet", *SMALL, "features.set=none"), "features.set='none' is unknown"),
        (("tradernet", *SMALL, "--output", "somewhere"), "allowed: --plot beside it"),
        (("tradernet", "data=missing.parquet"), "missing.parquet"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_written(seawall, words, tmp_path, given, message):
    refused = seawall("data", "features", *given, *words)
    assert refused.code == 2
    assert message in refused.err
    assert list(tmp_path.iterdir()) == []


def test_kept_features_are_listed_removed_and_no_trouble_to_other_verbs(seawall, words):
    seawall("data", "features", "tradernet", *SMALL, *words)
    entry = seawall("data", "cache", *words, "--json").json
    (held,) = entry["entries"]
    assert (held["set"], held["rows"], len(held["columns"]), held["problem"]) == ("technical", 3_000, 19, None)
    assert entry["bytes"] == held["bytes"] > 4 * 3_000 * 19
    assert "1 entries" in seawall("data", "cache", *words).out
    assert seawall("data", "list", *words, "--json").json == {"series": []}
    assert "holds no file of bars" in seawall("data", "check", words[1], *words).err
    removed = seawall("data", "cache", *words, "--clear", "--json").json
    assert (removed["removed"], removed["entries"], removed["bytes"]) == ([held["key"]], [], 0)


def test_a_damaged_entry_is_listed_as_such(seawall, words, tmp_path):
    seawall("data", "features", "tradernet", *SMALL, *words)
    (meta,) = (tmp_path / "data" / ".cache" / "features").glob("??/*/meta.json")
    meta.write_text("{")
    assert seawall("data", "cache", *words, "--json").json["entries"][0]["problem"] == "meta.json cannot be read"
    assert "damaged" in seawall("data", "cache", *words).out


def test_a_limit_that_is_no_number_is_refused(seawall, words, monkeypatch):
    monkeypatch.setenv("SEAWALL_CACHE_GIB", "lots")
    refused = seawall("data", "cache", *words)
    assert refused.code == 2
    assert "SEAWALL_CACHE_GIB is 'lots'" in refused.err
