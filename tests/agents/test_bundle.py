import json

import numpy as np
import pytest
from toy import WINDOW, toy_market

from seawall.agents.bundle import check_compatible, load_bundle, save_bundle, weights_hash
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.agents.state import load_weights
from seawall.core.errors import DataError
from seawall.core.protocols import Observation
from seawall.nets.registry import ConvParams, NetworkShape, build_network

SHAPE = NetworkShape(n_features=3, window=WINDOW, n_account=1, n_actions=3)
MANIFEST = {
    "window": WINDOW,
    "features": {"names": ["x0", "x1", "x2"], "hash": "abc"},
    "action_scheme": {"name": "target_exposure", "levels": [-1.0, 0.0, 1.0]},
    "account_columns": ["exposure"],
    "seeds": [0, 1],
}


def network(seed):
    return build_network("conv", ConvParams(filters=4, hidden=16), SHAPE, seed)


@pytest.fixture
def folder(tmp_path):
    save_bundle(tmp_path / "bundle", MANIFEST, [network(seed).state_dict() for seed in (0, 1)])
    return tmp_path / "bundle"


def test_what_is_loaded_acts_as_what_was_saved(folder):
    market = toy_market()
    seen = Observation(market, np.arange(WINDOW, 500), np.zeros((500 - WINDOW, 1), np.float32))
    saved = EnsemblePolicy([NetworkPolicy(network(seed), WINDOW) for seed in (0, 1)]).act(seen)
    members = []
    for weights in load_bundle(folder).members:
        blank = network(9)
        load_weights(blank, weights, "the bundle")
        members.append(NetworkPolicy(blank, WINDOW))
    loaded = EnsemblePolicy(members).act(seen)
    np.testing.assert_array_equal(loaded[0], saved[0])
    np.testing.assert_array_equal(loaded[1]["probabilities"], saved[1]["probabilities"])


def test_the_manifest_comes_back_with_schema_version_and_weights_hashes(folder):
    manifest = load_bundle(folder).manifest
    assert {key: manifest[key] for key in MANIFEST} == MANIFEST
    assert manifest["schema_version"] == 1
    assert [member["weights_hash"] for member in manifest["members"]] == [
        weights_hash(network(seed).state_dict()) for seed in (0, 1)
    ]


def test_only_weights_and_one_json_document_are_written(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["bundle.json", "member-0.safetensors", "member-1.safetensors"]


def test_a_changed_weight_is_refused(folder):
    path = folder / "member-1.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"member-1\.safetensors have hash .* the file was changed"):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_a_damaged_file_is_refused(folder, content):
    (folder / "member-0.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"member-0\.safetensors cannot be read"):
        load_bundle(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "member-0.safetensors").unlink()
    with pytest.raises(DataError, match=r"lacks .*member-0\.safetensors"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], "it lists no members; allowed: at least one"),
        (
            [{"file": "../bundle/member-0.safetensors"}],
            r"file is '\.\./bundle/member-0\.safetensors'; allowed: a name in the bundle",
        ),
    ],
)
def test_members_that_are_none_or_elsewhere_are_refused(folder, members, said):
    path = folder / "bundle.json"
    manifest = json.loads(path.read_text())
    first = manifest["members"][0]
    path.write_text(json.dumps(manifest | {"members": [first | each for each in members]}))
    with pytest.raises(DataError, match=said):
        load_bundle(folder)


def test_a_missing_bundle_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no file .*bundle\.json"):
        load_bundle(tmp_path / "nothing")


def test_a_newer_schema_is_refused(folder):
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    with pytest.raises(DataError, match=r"schema version 2; .* reads 1 to 1"):
        load_bundle(folder)


def test_a_failed_save_leaves_the_older_bundle_whole(folder):
    class Unwritable:
        def detach(self):
            raise OSError(28, "No space left on device")

    before = load_bundle(folder).manifest
    with pytest.raises((DataError, OSError)):
        save_bundle(folder, MANIFEST, [{"weight": Unwritable()}])  # pyright: ignore[reportArgumentType]
    assert load_bundle(folder).manifest == before
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_a_bundle_of_nobody_is_refused(tmp_path):
    with pytest.raises(DataError, match="0 members"):
        save_bundle(tmp_path / "bundle", MANIFEST, [])


def test_the_same_inputs_are_accepted(folder):
    check_compatible(load_bundle(folder).manifest, MANIFEST)


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ({"window": 24}, "window: bundle 4, here 24"),
        ({"account_columns": ["exposure", "vetoes"]}, "account_columns: 1 in the bundle, 2 here; only here 'vetoes'"),
        ({"features": {"names": ["x0", "rsi", "x2"], "hash": "abc"}}, "features.names[1]: bundle 'x1', here 'rsi'"),
        ({"features": {"names": ["x0", "x1", "x2"], "hash": "def"}}, "features.hash: bundle 'abc', here 'def'"),
        ({"action_scheme": {"name": "sell_buy_hold"}}, "action_scheme.name: bundle 'target_exposure', here 'sell_buy_hold'"),
        ({"scaler": {"kind": "minmax"}}, "scaler: bundle None, here {'kind': 'minmax'}"),
    ],
)
def test_other_inputs_are_refused_with_the_difference(folder, expected, line):
    with pytest.raises(DataError) as refusal:
        check_compatible(load_bundle(folder).manifest, expected)
    assert f"\n  {line}" in str(refusal.value)


def test_every_difference_has_a_line(folder):
    with pytest.raises(DataError) as refusal:
        check_compatible(load_bundle(folder).manifest, {"window": 24, "account_columns": []})
    assert len(str(refusal.value).splitlines()) == 3


def test_the_weights_hash_ignores_order_and_sees_names():
    weights = network(0).state_dict()
    assert weights_hash(dict(reversed(weights.items()))) == weights_hash(weights)
    assert weights_hash({f"x{name}": tensor for name, tensor in weights.items()}) != weights_hash(weights)
