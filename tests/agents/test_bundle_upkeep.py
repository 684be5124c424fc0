"""Bundles of other schema versions, what their manifests must say, and the file that may be put beside the weights."""

import json

import pytest
import torch

from seawall.agents import bundle as bundles
from seawall.agents.bundle import Bundle, attach_onnx, load_bundle, manifest_hash, migrate_bundle, onnx_file, save_bundle
from seawall.agents.bundle_manifest import manifest_problems
from seawall.core.errors import DataError

WEIGHTS = {"layer.weight": torch.arange(6.0).reshape(2, 3)}


@pytest.fixture
def folder(tmp_path):
    save_bundle(tmp_path / "bundle", {"window": 4, "seeds": [0]}, [WEIGHTS])
    return tmp_path / "bundle"


def as_version(folder, version):
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": version}))


def window_counts_from_zero(bundle):
    """A pretend version 0, whose window was one less and whose layer had another name."""
    members = [{name.replace("layer", "first"): tensor for name, tensor in member.items()} for member in bundle.members]
    return Bundle({**bundle.manifest, "window": bundle.manifest["window"] + 1}, members)


def test_an_older_bundle_loads_as_the_newest_and_is_left_as_it_is(folder, monkeypatch):
    monkeypatch.setitem(bundles.MIGRATIONS, 0, window_counts_from_zero)
    as_version(folder, 0)
    before = (folder / "bundle.json").read_bytes()
    loaded = load_bundle(folder)
    assert loaded.manifest["window"] == 5
    assert list(loaded.members[0]) == ["first.weight"]
    assert (folder / "bundle.json").read_bytes() == before


def test_a_migrated_bundle_needs_no_migration_any_more(folder, monkeypatch):
    monkeypatch.setitem(bundles.MIGRATIONS, 0, window_counts_from_zero)
    as_version(folder, 0)
    (folder / "policy.onnx").write_bytes(b"graph")
    assert migrate_bundle(folder) == 0
    monkeypatch.undo()
    loaded = load_bundle(folder)
    assert (loaded.manifest["schema_version"], loaded.manifest["window"]) == (1, 5)
    assert loaded.members[0]["first.weight"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert loaded.manifest["manifest_hash"] == manifest_hash(loaded.manifest)
    assert (folder / "policy.onnx").read_bytes() == b"graph"


def test_a_migration_that_fails_leaves_the_older_bundle_whole(folder, monkeypatch):
    def fails(bundle):
        raise DataError("no such entry")

    monkeypatch.setitem(bundles.MIGRATIONS, 0, fails)
    as_version(folder, 0)
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    with pytest.raises(DataError, match="no such entry"):
        migrate_bundle(folder)
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before


def test_a_bundle_that_is_up_to_date_is_not_touched(folder):
    before = (folder / "bundle.json").stat().st_mtime_ns
    assert migrate_bundle(folder) == 1
    assert (folder / "bundle.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(("version", "advice"), [(2, ": upgrade seawall$"), (0, "reads 1 to 1$"), (None, "reads 1 to 1$")])
def test_only_a_newer_version_is_told_to_upgrade_for(folder, version, advice):
    as_version(folder, version)
    with pytest.raises(DataError, match=f"schema version {version}; .*{advice}"):
        migrate_bundle(folder)


def test_a_file_beside_the_weights_is_known_by_its_hash(folder):
    with pytest.raises(DataError, match="has no ONNX file; make it with: seawall bundle export"):
        onnx_file(folder, load_bundle(folder).manifest)

    def write(path):
        path.write_bytes(b"graph")
        return {"max_difference": 0.0}

    attach_onnx(folder, write)
    loaded = load_bundle(folder)
    assert onnx_file(folder, loaded.manifest) == folder / "policy.onnx"
    assert loaded.members[0]["layer.weight"].equal(WEIGHTS["layer.weight"])
    (folder / "policy.onnx").write_bytes(b"Graph")
    with pytest.raises(DataError, match="the file was changed"):
        onnx_file(folder, loaded.manifest)


def test_a_file_that_is_refused_leaves_the_bundle_as_it_was(folder):
    def refuse(path):
        path.write_bytes(b"graph")
        raise DataError("decides otherwise")

    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    with pytest.raises(DataError, match="decides otherwise"):
        attach_onnx(folder, refuse)
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_every_missing_entry_of_a_manifest_has_a_line(folder):
    problems = manifest_problems(load_bundle(folder).manifest)
    assert "bundle.json has no recipe" in problems
    assert "bundle.json has no features" in problems
    assert not any("window" in problem or "members" in problem for problem in problems)


def test_the_hash_of_a_manifest_sees_every_entry_but_itself(folder):
    manifest = load_bundle(folder).manifest
    assert manifest_hash(manifest | {"manifest_hash": "other"}) == manifest["manifest_hash"]
    assert manifest_hash(manifest | {"window": 5}) != manifest["manifest_hash"]
