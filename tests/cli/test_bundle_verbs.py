"""``seawall bundle``: what it tells, everything that is wrong with a damaged one, and what is exported."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from seawall.agents.bundle import manifest_hash
from seawall.agents.onnx.parity import Differences
from seawall.core.run_folder import RunFolder
from seawall.recipes.dataset import Dataset


@pytest.fixture
def run(trained, tmp_path):
    original = RunFolder.find(trained, "latest")
    copy = tmp_path / "runs" / original.path.parent.name / original.path.name
    shutil.copytree(original.path, copy)
    return RunFolder(copy)


def edit(run, **changes):
    """Change entries of a manifest, and leave its hash as it was."""
    path = run.bundle / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def wrong(result):
    return {check["name"]: " ".join(check["details"]) for check in result.json["checks"] if check["state"] == "wrong"}


def test_a_bundle_explains_itself(seawall, run):
    facts = seawall("bundle", "info", run.path, "--json").json
    weights = load_file(run.bundle / "member-0.safetensors")
    assert facts["parameters"] == sum(array.size for array in weights.values())
    assert facts["bytes"] == sum(path.stat().st_size for path in run.bundle.iterdir())
    assert (facts["recipe"], facts["seeds"], facts["complete"], facts["window"]) == ("small", [0, 1], True, 12)
    assert (facts["features"]["count"], facts["costs"]["taker_bps"]) == (len(facts["features"]["names"]), 10.0)
    assert facts["action_scheme"]["name"] == "sell_buy_hold"
    assert list(facts["guards"]) == ["n_consecutive"]
    assert [each["steps"] for each in facts["progress"]] == [4096, 4096]
    assert facts["created_by"].startswith("seawall ")
    words = seawall("bundle", "info", run.path).out
    assert "sell_buy_hold" in words
    assert "parameters a member" in words


def test_a_bundle_is_found_by_its_folder_its_run_and_as_the_latest(seawall, run):
    runs = run.path.parents[1]
    references = (run.bundle, run.path, "latest", run.path.name[:8])
    found = [seawall("bundle", "info", reference, "--runs", runs, "--json").json["manifest_hash"] for reference in references]
    assert len(found[0]) == 64
    assert found == [found[0]] * 4


def test_a_sound_bundle_is_called_sound_with_and_without_its_run(seawall, run, tmp_path):
    shutil.copytree(run.bundle, tmp_path / "alone")
    for path in (run.path, tmp_path / "alone"):
        result = seawall("bundle", "verify", path, "--json")
        assert (result.code, result.json["sound"]) == (0, True)
        assert [check["name"] for check in result.json["checks"] if check["state"] == "ok"][-1] == "networks"


def _other_weight(run):
    path = run.bundle / "member-1.safetensors"
    weights = load_file(path)
    save_file({name: array + np.float32(1e-3) for name, array in weights.items()}, path)


def _other_features(run):
    features = json.loads((run.bundle / "bundle.json").read_text())["features"]
    edit(run, features=features | {"hash": "0" * 64})


@pytest.mark.parametrize(
    ("damage", "name", "words"),
    [
        (_other_weight, "weights member-1.safetensors", "the file was changed"),
        (lambda run: (run.bundle / "member-0.safetensors").unlink(), "weights member-0.safetensors", "lacks"),
        (lambda run: (run.bundle / "member-0.safetensors").write_bytes(b"x"), "weights member-0.safetensors", "cannot be read"),
        (lambda run: edit(run, costs={"taker_bps": 0}), "manifest hash", "the file was changed"),
        (lambda run: edit(run, window="twelve"), "manifest", "window is 'twelve'"),
        (lambda run: edit(run, seeds=[0]), "manifest", "1 seeds and 2 members"),
        (_other_features, "inputs", "features.hash: bundle '0000"),
        (lambda run: edit(run, recipe_hash="0" * 64), "recipe", "the bundle 00000000"),
        (lambda run: edit(run, schema_version=2), "manifest", "upgrade seawall"),
        (lambda run: (run.bundle / "bundle.json").write_text("{"), "manifest", "not readable JSON"),
        (lambda run: (run.bundle / "bundle.json").unlink(), "manifest", "no file"),
    ],
)
def test_what_is_wrong_is_named_and_ends_with_2(seawall, run, damage, name, words):
    damage(run)
    result = seawall("bundle", "verify", run.bundle, "--json")
    assert (result.code, result.json["sound"]) == (2, False)
    assert words in wrong(result)[name]
    assert "Traceback" not in result.err


def test_everything_that_is_wrong_is_listed_at_once(seawall, run):
    _other_weight(run)
    _other_features(run)
    (run.bundle / "member-0.safetensors").unlink()
    listed = seawall("bundle", "verify", run.path)
    assert listed.code == 2
    for words in ("lacks", "member-1.safetensors have hash", "features.hash", "bundle.json has hash"):
        assert words in listed.out


def test_weights_of_another_network_are_told_though_their_hash_is_right(seawall, run):
    path = run.bundle / "bundle.json"
    manifest = json.loads(path.read_text())
    from safetensors.torch import load_file as load
    from safetensors.torch import save_file as save

    from seawall.agents.bundle import weights_hash

    weights = load(run.bundle / "member-0.safetensors")
    weights["policy_head.bias"] = weights["policy_head.bias"].repeat(2)
    save(weights, run.bundle / "member-0.safetensors")
    manifest["members"][0]["weights_hash"] = weights_hash(weights)
    manifest["manifest_hash"] = manifest_hash(manifest)
    path.write_text(json.dumps(manifest))
    found = wrong(seawall("bundle", "verify", run.path, "--json"))
    assert list(found) == ["networks"]
    assert "policy_head.bias" in found["networks"]


def test_a_bundle_that_is_up_to_date_is_told_so_and_a_newer_one_refused(seawall, run):
    before = (run.bundle / "bundle.json").read_bytes()
    assert "already at version 1" in seawall("bundle", "migrate", run.path).out
    assert seawall("bundle", "migrate", run.path, "--json").json["changed"] is False
    assert (run.bundle / "bundle.json").read_bytes() == before
    edit(run, schema_version=2)
    refused = seawall("bundle", "migrate", run.path)
    assert refused.code == 2
    assert "upgrade seawall" in refused.err


def test_a_run_without_a_bundle_is_told_how_to_get_one(seawall, run):
    shutil.rmtree(run.bundle)
    refused = seawall("bundle", "info", run.path)
    assert refused.code == 2
    assert "seawall resume" in refused.err


def test_an_exported_ensemble_is_checked_kept_and_judged(seawall, run):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    entry = seawall("bundle", "export", run.path, "--onnx", "--json").json
    assert entry["max_difference"] <= 1e-5
    own_rows = sum(len(each) for each in Dataset.load(run).split.tests)
    assert (entry["kind"], entry["random_windows"], entry["real_windows"]) == ("probabilities", 1032, min(1024, own_rows) + 8)
    checked = seawall("bundle", "verify", run.path, "--json").json["checks"]
    assert checked[-1] == {"name": "onnx", "state": "ok", "details": []}
    torch, onnx = (seawall("backtest", run.path, "--runtime", name, "--json").json for name in ("torch", "onnx"))
    assert onnx["ensemble"] == torch["ensemble"]
    assert (torch["checkpoint"]["runtime"], onnx["checkpoint"]["runtime"]) == ("torch", "onnx")
    assert onnx["metrics"] != torch["metrics"]
    assert seawall("backtest", run.path, "--runtime", "onnx", "--checkpoint", "last").code == 2
    paper = seawall("paper", run.path, "--replay", "own", "--runtime", "onnx", "--json").json
    assert (paper["runtime"], paper["parity"]["equal"], paper["final_equity"]) == ("onnx", True, onnx["ensemble"]["final_equity"])
    assert "onnx" in paper["parity"]["words"]
    path = run.bundle / "policy.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert "the file was changed" in wrong(seawall("bundle", "verify", run.path, "--json"))["onnx"]
    refused = seawall("backtest", run.path, "--runtime", "onnx")
    assert refused.code == 2
    assert "the file was changed" in refused.err


def test_an_export_elsewhere_leaves_the_bundle_alone_and_replaces_nothing_unasked(seawall, run, tmp_path):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    before = sorted((path.name, path.read_bytes()) for path in run.bundle.iterdir())
    target = tmp_path / "mine.onnx"
    target.write_text("mine")
    refused = seawall("bundle", "export", run.path, "--onnx", "--out", target)
    assert (refused.code, target.read_text()) == (2, "mine")
    assert seawall("bundle", "export", run.path, "--onnx", "--out", target, "--force").code == 0
    assert target.stat().st_size > 1e5
    assert sorted((path.name, path.read_bytes()) for path in run.bundle.iterdir()) == before
    unwritable = seawall("bundle", "export", run.path, "--onnx", "--out", target / "below.onnx")
    assert unwritable.code == 2
    assert "Traceback" not in unwritable.err


def test_a_graph_that_decides_otherwise_is_refused_and_not_kept(seawall, run, monkeypatch):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    found = Differences(9, 0, {"probabilities": 2e-5}, {"probabilities": 1.0})
    monkeypatch.setattr("seawall.recipes.onnx_export.differences", lambda *_: found)
    refused = seawall("bundle", "export", run.path, "--onnx")
    assert refused.code == 2
    assert "differ by 2e-05" in refused.err
    assert not (run.bundle / "policy.onnx").exists()
    assert seawall("bundle", "verify", run.path).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [(("bundle", "export"), "allowed: --onnx"), (("backtest", "--runtime", "onnx"), "seawall bundle export")],
)
def test_what_is_missing_is_named(seawall, run, words, message):
    refused = seawall(*words, run.path)
    assert refused.code == 2
    assert message in refused.err
