"""Every planted leak is caught, and no honest look-alike is accused, whatever the bars."""

import pytest
from leak_worlds import world

from seawall.evaluation.leaks import zoo
from seawall.evaluation.leaks.candidates import FeatureCandidate
from seawall.evaluation.leaks.zoo import judge_zoo, passed, zoo_judgement
from seawall.evaluation.leaks.zoo_clean import CLEAN
from seawall.evaluation.leaks.zoo_planted import PLANTED

# Of each leak that looks a fixed way ahead: how far, and the first bar that it concerns (None where that hangs on the bars).
REACHES = {
    "centred window": (2, 2),
    "higher-timeframe bar joined at its open": (3, 0),
    "Chikou": (26, 0),
    "unconfirmed pivot": (5, None),
    "resample with the wrong label side": (5, 0),
    "warning of a rare event": (1, 99),
    "label farther than declared": (10, 0),
    "hindsight exit as reported P&L": (24, 0),
    "position paid with an already-seen return": (1, None),
}
TO_THE_END = (
    "whole-sample scaler",
    "whole-sample quantile clip",
    "whole-history volume profile",
    "whole-sample detrend",
    "share of the sample",
    "rank in the whole sample",
    "pay scaled by whole-sample risk",
)
NAMED = (
    "centred window",
    "whole-sample scaler",
    "whole-sample quantile clip",
    "bfill",
    "higher-timeframe bar joined at its open",
    "target among features",
    "Chikou",
    "unconfirmed pivot",
    "whole-history volume profile",
    "Trends of the current week",
    "polynomial gap filling",
    "shuffled split with overlapping windows",
    "feature selected on the test span",
    "position paid with an already-seen return",
    "resample with the wrong label side",
)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_of_the_zoo_is_caught(name):
    found = zoo_judgement(name, world())
    assert found.verdict == "leak"
    first = found.findings[0]
    if name in REACHES:
        bars, row = REACHES[name]
        assert first.bars_ahead == bars
        assert row is None or first.row == row
    assert first.to_the_end == (name in TO_THE_END) or name not in {*REACHES, *TO_THE_END}
    if first.row is not None and found.kind not in {"scaler", "selection", "split"}:
        assert first.time == world().bars["timestamp"].iloc[first.row].isoformat()


@pytest.mark.parametrize("name", CLEAN)
def test_an_honest_look_alike_of_the_zoo_raises_no_alarm(name):
    found = zoo_judgement(name, world())
    assert found.findings == ()
    assert found.verdict == "clean"


def test_the_target_is_told_from_the_honest_column_beside_it():
    found = zoo_judgement("target among features", world())
    assert [finding.column for finding in found.findings] == ["target"]


def test_the_zoo_has_every_named_leak_and_as_many_look_alikes():
    assert set(NAMED) <= set(PLANTED)
    assert len(PLANTED) >= 14
    assert len(CLEAN) >= len(PLANTED)
    assert all((candidate.function.__doc__ or "").strip() for candidate in (*PLANTED.values(), *CLEAN.values()))


def test_a_missed_leak_and_a_false_alarm_are_counted(monkeypatch):
    honest, leaking = FeatureCandidate(lambda bars: bars["close"]), FeatureCandidate(lambda bars: bars["close"].shift(-1))
    broken = FeatureCandidate(lambda bars: bars["no such column"])
    monkeypatch.setattr(zoo, "PLANTED", {"missed": honest, "caught": leaking})
    monkeypatch.setattr(zoo, "CLEAN", {"accused": leaking, "passed": honest, "broken": broken})
    result = judge_zoo(0, 600)
    assert list(result)[:4] == ["planted", "caught", "clean", "false_alarms"]
    assert [result[key] for key in ("planted", "caught", "clean", "false_alarms", "not_judged")] == [2, 1, 3, 1, 1]
    assert not passed(result)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_zoo_is_right_on_other_bars_too(seed):
    result = judge_zoo(seed, 1_000)
    assert (result["caught"], result["false_alarms"], result["not_judged"]) == (result["planted"], 0, 0)
