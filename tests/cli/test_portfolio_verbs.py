"""A portfolio by the verbs of single series: train, backtest, report, bundle, leakcheck and paper."""

import json

import pandas as pd
import pytest

from seawall.recipes.families import load_any
from seawall.recipes.portfolio_dataset import load_frames

SMALL = ("smoke=true", "data.n_bars=3000", "agent.total_steps=512", "agent.n_steps=32", "agent.minibatch=64", "training.workers=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small trained and judged portfolio, and the bars of its assets as files of their own."""
    from seawall.cli.main import run

    folder = tmp_path_factory.mktemp("portfolio")
    assert run(["train", "portfolio", *SMALL, "--runs", str(folder / "runs")]) == 0
    assert run(["backtest", "latest", "--runs", str(folder / "runs")]) == 0
    frames, _facts = load_frames(load_any("portfolio", SMALL), folder)
    for symbol, bars in frames.items():
        bars.to_parquet(folder / f"made_{symbol}_5m.parquet")
    [run_folder] = (folder / "runs" / "portfolio").iterdir()
    return folder, run_folder


def test_its_bundle_is_sound_and_its_report_is_written_again(trained, seawall):
    _folder, run = trained
    assert "sound" in seawall("bundle", "verify", run).out
    report = seawall("report", run, "--json").json
    assert report["run_folder"] == str(run)
    assert (run / "report" / "index.html").stat().st_size > 100_000
    assert set(report["baselines"]) == {
        "cash",
        "buy_and_hold",
        "ucrp",
        "random",
        "olmar",
        "rmr",
        "ons",
        "eg",
        "pamr",
        "best_in_hindsight",
    }


def test_a_bundle_of_another_recipe_is_not_sound(trained, seawall, tmp_path):
    _folder, run = trained
    manifest = json.loads((run / "bundle" / "bundle.json").read_text())
    before = json.dumps(manifest)
    try:
        manifest["recipe_hash"] = "0" * 64
        (run / "bundle" / "bundle.json").write_text(json.dumps(manifest))
        checked = seawall("bundle", "verify", run, "--json")
    finally:
        (run / "bundle" / "bundle.json").write_text(before)
    assert checked.code == 2
    assert {each["name"]: each["state"] for each in checked.json["checks"]}["recipe"] == "wrong"


def test_changed_costs_are_judged_apart(trained, seawall):
    _folder, run = trained
    before = (run / "metrics.json").read_bytes()
    dear = seawall("backtest", run, "costs.taker_bps=200", "--json")
    assert dear.code == 0
    assert "judged" in dear.json["metrics"]
    assert dear.json["ensemble"]["costs"]["fee"] >= json.loads(before)["ensemble"]["costs"]["fee"]
    assert (run / "metrics.json").read_bytes() == before
    assert seawall("backtest", run, "--checkpoint", "last").code == 2


def test_it_is_replayed_over_its_own_bars_and_over_files_of_them(trained, seawall):
    folder, run = trained
    own = seawall("paper", run, "--replay", "own", "--json")
    files = seawall("paper", run, "--replay", folder / "made_{symbol}_5m.parquet", "--json")
    assert (own.code, files.code) == (0, 0)
    assert own.json["parity"]["equal"] is files.json["parity"]["equal"] is True
    assert own.json["parity"]["rows"] == files.json["parity"]["rows"] > 200


@pytest.mark.slow
def test_onnxruntime_weighs_and_trades_as_torch_does_in_backtest_and_on_paper(trained, seawall):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    folder, run = trained
    judged = (run / "metrics.json").read_bytes()
    entry = seawall("bundle", "export", run, "--onnx", "--json").json
    assert (entry["kind"], entry["random_windows"]) == ("weights", 1032)
    assert entry["max_difference"] <= 1e-5
    told = seawall("backtest", run, "--runtime", "onnx", "--json").json
    assert told["checkpoint"]["runtime"] == "onnx"
    assert told["metrics"].endswith("-onnx/metrics.json")
    assert (run / "metrics.json").read_bytes() == judged
    ledgers = [pd.read_parquet(path) for path in (run / "ledger.parquet", told["ledger"])]
    torch, onnx = (ledger[ledger["policy"] == "ensemble"].reset_index(drop=True) for ledger in ledgers)
    weights = [name for name in torch.columns if name.startswith("target.")]
    assert torch[weights].nunique().min() > 100
    assert (onnx[weights] - torch[weights]).abs().to_numpy().max() <= 1e-5
    assert onnx["equity"].to_numpy() == pytest.approx(torch["equity"].to_numpy(), rel=1e-5)
    for source in ("own", folder / "made_{symbol}_5m.parquet"):
        paper = seawall("paper", run, "--replay", source, "--runtime", "onnx", "--json")
        assert (paper.code, paper.json["parity"]["equal"]) == (0, True)


def test_it_is_explained_by_asset_and_by_the_bars_of_each_clock(trained, seawall):
    pytest.importorskip("captum", reason="the extra explain is not installed")
    _folder, run = trained
    told = seawall("explain", run, "--bars", "4", "--method", "occlusion", "--target", "cash", "--json").json
    found = told["methods"]["occlusion"]
    clocks = [f"{back} × 5m" for back in range(11, -1, -1)] + [f"{back} × 15m" for back in range(5, -1, -1)]
    assert [row["name"] for row in found["lags"]] == clocks
    assert [row["name"] for row in found["assets"]] == ["A", "B", "C"]
    assert sum(row["share"] for row in found["assets"]) == pytest.approx(1.0)
    assert (told["bars"], told["target"]["words"]) == (4, "weight of cash")
    for words, allowed in (
        ("--target=BUY", "allowed: exposure, concentration, cash, A, B, C"),
        ("--checkpoint=last", "allowed: best"),
    ):
        refused = seawall("explain", run, words)
        assert (refused.code, allowed in refused.err) == (2, True)


def test_files_without_a_later_bar_and_other_settings_are_refused(trained, seawall, tmp_path):
    folder, run = trained
    for path in folder.glob("made_*.parquet"):
        pd.read_parquet(path).iloc[:2_300].to_parquet(tmp_path / path.name)
    refused = seawall("paper", run, "--replay", tmp_path / "made_{symbol}_5m.parquet")
    assert (refused.code, "up to which the run was trained and validated" in refused.err) == (2, True)
    assert seawall("paper", run, "--replay", "own", "costs.taker_bps=1").code == 2


def test_verbs_of_single_series_say_that_it_is_a_portfolio(seawall):
    refused = seawall("data", "features", "portfolio")
    assert (refused.code, "is of a portfolio, and this is of one series" in refused.err) == (2, True)


@pytest.mark.slow
def test_it_is_shown_validated_and_checked_for_leaks(seawall):
    assert seawall("show", "portfolio", "--json").json["recipe"]["agent"]["kind"] == "joint_ppo"
    assert seawall("validate", "portfolio", "agent.gama=1").code == 2
    checked = seawall("leakcheck", "portfolio", *SMALL, "--bars", "2500", "--json")
    assert checked.json["verdict"] == "clean"
