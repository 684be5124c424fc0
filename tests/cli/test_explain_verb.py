"""``seawall explain`` on the small trained run."""

import json
import re

import numpy as np
import pytest

from seawall.agents.explaining import methods
from seawall.core.run_folder import RunFolder
from seawall.evaluation.ledger import Ledgers
from seawall.recipes.explain_record import explanation_of

pytest.importorskip("captum", reason="the extra explain is not installed")


@pytest.fixture(scope="module")
def run(trained):
    return next(path.parent for path in trained.glob("*/*/recipe.yaml"))


@pytest.fixture
def explained(run, seawall):
    """What the command tells; the run is left as it was."""
    page = run / "report" / "index.html"
    before = page.read_bytes()

    def ask(*words):
        return seawall("explain", run, "--bars", 6, *words)

    yield ask
    (run / "explain.json").unlink(missing_ok=True)
    page.write_bytes(before)


def test_a_run_is_explained_and_its_page_says_so(run, explained):
    result = explained("--json")
    assert result.code == 0, result.err
    document = result.json
    assert json.loads((run / "explain.json").read_text()) == {key: value for key, value in document.items() if key != "files"}
    assert (document["bars"], document["seeds"], document["target"]["name"]) == (6, [0, 1], "exposure")
    manifest = json.loads((run / "bundle" / "bundle.json").read_text())
    expected = set(manifest["features"]["names"]) | set(manifest["account"])
    for found in document["methods"].values():
        assert {row["name"] for row in found["inputs"]} == expected
        assert sum(row["share"] for row in found["inputs"]) == pytest.approx(1.0)
        assert [row["name"] for row in found["lags"]] == [str(back) for back in range(manifest["window"] - 1, -1, -1)]
        assert sum(group["bars"] for group in found["by_action"]) == 6
    assert np.shape(document["methods"]["ig"]["heat_map"]["shares"]) == (len(manifest["features"]["names"]), manifest["window"])
    assert document["completeness"]["complete"]
    page = (run / "report" / "index.html").read_text()
    assert "What it looks at" in page
    assert "An attribution says what the network looks at, not what is profitable" in page
    assert set(re.findall(r'id="plot-(explain-[a-z]+)"', page)) == {
        "explain-inputs",
        "explain-lags",
        "explain-map",
        "explain-actions",
    }


def test_what_is_explained_is_what_the_backtest_decided(run, explained):
    document = explained("--json", "--method", "occlusion").json
    decided = Ledgers.read(run / "ledger.parquet").ensemble.frame
    rows = decided.iloc[np.linspace(0, len(decided) - 1, 6).round().astype(int)]
    assert (document["first"], document["last"]) == tuple(f"{each:%Y-%m-%d %H:%M}" for each in rows["timestamp"].iloc[[0, -1]])
    names = json.loads((run / "bundle" / "bundle.json").read_text())["action_scheme"]["actions"]
    counts = rows["action"].map(lambda action: names[int(action)]).value_counts().to_dict()
    [found] = document["methods"].values()
    assert {group["action"]: group["bars"] for group in found["by_action"]} == counts


def test_the_signed_attributions_add_up_to_the_mean_change_of_the_target(explained):
    document = explained("--json", "--method", "ig").json
    [found] = document["methods"].values()
    groups = found["by_action"]
    total = sum(group["bars"] * sum(group["signed"].values()) for group in groups) / 6
    assert total == pytest.approx(sum(row["signed"] for row in found["inputs"]), abs=1e-9)
    assert abs(total) <= document["completeness"]["mean_change"] + document["completeness"]["mean_gap"]


def test_other_weights_make_an_explanation_old(run, explained):
    assert explained("--method", "occlusion", "--target", "BUY").code == 0
    section = explanation_of(RunFolder(run))
    assert not section.values["outdated"]
    path = run / "explain.json"
    document = json.loads(path.read_text())
    assert document["target"]["words"] == "logit of BUY, less the mean logit of all actions"
    path.write_text(json.dumps({**document, "weights": ["0" * 64]}))
    assert explanation_of(RunFolder(run)).values["outdated"]
    path.unlink()
    assert explanation_of(RunFolder(run)) is None


def test_the_terminal_tells_it_in_words(explained):
    result = explained("--method", "occlusion")
    assert result.code == 0, result.err
    assert "Explained: expected target exposure" in result.out
    assert "By occlusion, it looks most at" in result.out
    assert "not what is profitable" in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "LONG"), "target 'LONG' is none of this policy's; allowed: exposure, chosen, "),
        (("--checkpoint", "77"), "checkpoint '77' of run"),
        (("--bars", "0"), "0 of 387 decisions were to be explained; allowed: at least 1"),
        (("--method", "lime"), "lime"),
    ],
)
def test_what_cannot_be_explained_is_refused(run, explained, words, message):
    result = explained(*words)
    assert result.code == 2
    assert message in result.err
    assert not (run / "explain.json").exists()


def test_without_the_extra_it_is_named(run, explained, monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda _name: None)
    result = explained()
    assert result.code == 2
    assert "captum, of the extra explain; install it with: pip install -c constraints.txt -e '.[explain]'" in result.err
    assert not (run / "explain.json").exists()
