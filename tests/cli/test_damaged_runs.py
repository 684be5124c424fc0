"""A run folder that was damaged: one clear line and exit code 2, never a traceback."""

import shutil

import pytest

from seawall.core.run_folder import RunFolder


@pytest.fixture
def run(trained, tmp_path):
    original = RunFolder.find(trained, "latest")
    copy = tmp_path / "runs" / original.path.parent.name / original.path.name
    shutil.copytree(original.path, copy)
    return RunFolder(copy)


DAMAGES = [
    ("backtest", "recipe.yaml", ""),
    ("backtest", "recipe.yaml", "- a"),
    ("resume", "recipe.yaml", b"\xff\xfe"),
    ("backtest", "dataset.json", "{}"),
    ("backtest", "dataset.json", "[]"),
    ("backtest", "dataset.json", None),
    ("backtest", "training.json", "{}"),
    ("backtest", "market/market.json", "{}"),
    ("backtest", "bundle/bundle.json", '{"members": [{}], "schema_version": 1}'),
    ("resume", "checkpoints/seed-0/checkpoint.json", '{"schema_version": 1}'),
    ("resume", "checkpoints/seed-0/checkpoint.json", "[]"),
    ("resume", "log.jsonl", None),
    ("compare", "metrics.json", "{}"),
    ("report", "ledger.parquet", "PAR1"),
    ("report", "report", "a file where a folder should be"),
]


@pytest.mark.parametrize(("verb", "name", "content"), DAMAGES, ids=lambda value: str(value)[:40])
def test_a_damaged_file_is_named(seawall, run, verb, name, content):
    path = run.path / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    if content is None:
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    result = seawall(verb, run.path)
    assert result.code == 2, result.err
    assert path.name in result.err
    assert "Traceback" not in result.err


def test_a_folder_that_cannot_be_made_is_named(seawall, small_recipe, tmp_path):
    (tmp_path / "file").write_text("")
    for words in (
        ("train", small_recipe, "--runs", tmp_path / "file"),
        ("data", "synth", tmp_path / "file" / "x.csv", "--bars", 100),
    ):
        result = seawall(*words)
        assert result.code == 2, result.err
        assert "cannot write" in result.err
        assert "Traceback" not in result.err


@pytest.mark.parametrize("override", ["training.workers=0", "training.workers=-3", "training.seed=99999999999999999999"])
def test_a_number_that_cannot_work_is_refused_beforehand(seawall, override):
    assert seawall("validate", "tradernet", override).code == 2


def test_an_unjudged_run_is_told_how_to_be_judged(seawall, run):
    run.metrics.unlink()
    assert "seawall backtest" in seawall("compare", run.path).err
