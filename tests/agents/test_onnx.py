"""An exported ensemble: the probabilities of its networks, one file, and nothing of the machine that wrote it."""

import sys

import numpy as np
import pytest
import torch
from toy import WINDOW, toy_market

from seawall.agents.onnx.graph import ensemble_graph
from seawall.agents.onnx.parity import TOLERANCE, differences, require_parity
from seawall.agents.onnx.policy import OnnxPolicy
from seawall.agents.onnx.session import GraphSession
from seawall.agents.onnx.writing import write_onnx
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.errors import ConfigError, DataError
from seawall.core.protocols import Observation
from seawall.nets.registry import ConvParams, NetworkShape, build_network

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SHAPE = NetworkShape(n_features=3, window=WINDOW, n_account=2, n_actions=3)


def members():
    # Heads start with tiny weights, so that every action is about equally likely; wider ones tell networks apart.
    networks = [build_network("conv", ConvParams(filters=4, hidden=16), SHAPE, seed) for seed in (0, 1, 2)]
    for network in networks:
        with torch.no_grad():
            network.policy_head.weight.mul_(100.0)
    return [NetworkPolicy(network, WINDOW) for network in networks]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "policy.onnx"
    write_onnx(ensemble_graph(members()), path, ((WINDOW, 3), 2), {"recipe_hash": "abc"})
    return path


def seen(market, rows):
    return Observation(market, np.asarray(rows), np.random.default_rng(1).uniform(-1, 1, (len(rows), 2)).astype(np.float32))


def test_it_decides_as_the_ensemble_of_networks(exported):
    observation = seen(toy_market(), np.arange(WINDOW, 500))
    actions, details = OnnxPolicy(exported, WINDOW).act(observation)
    expected, probabilities = EnsemblePolicy(members()).act(observation)
    assert len(set(expected.tolist())) == 3
    np.testing.assert_array_equal(actions, expected)
    np.testing.assert_allclose(details["probabilities"], probabilities["probabilities"], atol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 300])
def test_the_number_of_accounts_is_free(exported, n):
    assert OnnxPolicy(exported, WINDOW).act(seen(toy_market(), np.arange(n) + WINDOW))[1]["probabilities"].shape == (n, 3)


def test_sampled_actions_are_those_that_the_ensemble_samples(exported):
    observation = seen(toy_market(), np.arange(WINDOW, 500))
    ours = OnnxPolicy(exported, WINDOW, np.random.default_rng(3)).act(observation, deterministic=False)[0]
    theirs = EnsemblePolicy(members(), np.random.default_rng(3)).act(observation, deterministic=False)[0]
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ConfigError, match="no generator"):
        OnnxPolicy(exported, WINDOW).act(observation, deterministic=False)


def test_a_window_before_the_first_row_is_refused(exported):
    with pytest.raises(IndexError, match="starts before the first row"):
        OnnxPolicy(exported, WINDOW).act(seen(toy_market(), [WINDOW, WINDOW - 2]))


def test_a_changed_network_is_told_from_its_file_and_refused(exported):
    changed = members()
    with torch.no_grad():
        changed[2].network.policy_head.bias[0] += 1e-3
    episodes = [[seen(toy_market(), np.arange(WINDOW, 600))]]
    assert differences(EnsemblePolicy(members()), OnnxPolicy(exported, WINDOW), episodes).share <= 1e-6
    found = differences(EnsemblePolicy(changed), OnnxPolicy(exported, WINDOW), episodes)
    assert found.share > TOLERANCE
    with pytest.raises(DataError, match="allowed: up to 1e-05"):
        require_parity(found)
    found.apart["probabilities"] = float("nan")
    with pytest.raises(DataError, match="nan"):
        require_parity(found)


def test_the_same_networks_give_the_same_bytes_and_no_path_of_the_machine(exported, tmp_path):
    write_onnx(ensemble_graph(members()), tmp_path / "again.onnx", ((WINDOW, 3), 2), {"recipe_hash": "abc"})
    content = (tmp_path / "again.onnx").read_bytes()
    assert content == exported.read_bytes()
    assert b".py" not in content


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "policy.onnx").write_bytes(content)
    with pytest.raises(DataError, match=r"policy\.onnx cannot be read by onnxruntime"):
        GraphSession(tmp_path / "policy.onnx")


def test_without_onnxruntime_the_remedy_is_named(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r'pip install "seawall\[onnx\]"'):
        OnnxPolicy(exported, WINDOW)


class Remembering:
    def act(self, observation, *, deterministic=True):
        raise AssertionError


def test_a_policy_that_is_no_such_network_is_refused():
    with pytest.raises(ConfigError, match="class Remembering cannot be exported to ONNX; allowed: runs of the agents ppo"):
        ensemble_graph([Remembering()])


def test_a_graph_with_other_inputs_is_refused_by_their_names(exported, tmp_path):
    import onnx

    model = onnx.load(exported)
    model.graph.output[0].name = "odds"
    for node in model.graph.node:
        node.output[:] = ["odds" if name == "probabilities" else name for name in node.output]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(DataError, match="outputs odds, members; allowed: windows, account, and one of probabilities, number"):
        GraphSession(tmp_path / "other.onnx")


def test_the_first_output_is_the_mean_of_what_the_members_say(exported):
    told = OnnxPolicy(exported, WINDOW)
    told.act(seen(toy_market(), np.arange(WINDOW, 50)))
    assert told.told.members.shape == (50 - WINDOW, 3, 3)
    np.testing.assert_allclose(told.told.decided, told.told.members.mean(1), atol=1e-6)
