"""Every kind of policy as a graph: what it decides by, what it remembers, and what cannot be written."""

import numpy as np
import pytest
import torch
from small_portfolio_learner import LOOK, STATE, learner, small_market
from toy import WINDOW, toy_market

from seawall.agents.dqn.policy import QEnsemble, QPolicy
from seawall.agents.frozen import frozen_windows
from seawall.agents.joint_ppo.policy import PortfolioEnsemble
from seawall.agents.onnx import graph as graphs
from seawall.agents.onnx.graph import ensemble_graph
from seawall.agents.onnx.parity import TOLERANCE, differences, episodes_of, random_market, require_parity
from seawall.agents.onnx.policy import OnnxPolicy
from seawall.agents.onnx.writing import write_onnx
from seawall.agents.policy import EnsemblePolicy, NetworkPolicy
from seawall.core.errors import ConfigError, DataError, InvariantError
from seawall.core.market import RowRange
from seawall.core.protocols import Observation
from seawall.nets.dense import RecurrentParams
from seawall.nets.pretraining import FrozenEncoder
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.nets.transformer import TransformerParams

pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SHAPE, NUMBER = NetworkShape(3, WINDOW, 2, 3), NetworkShape(3, WINDOW, 2, 0)
CONV = ConvParams(filters=4, hidden=8)
MARKET = toy_market(400)
SEEDS = (0, 1)


def wider(network, head="policy_head"):
    """Heads start with tiny weights; wider ones tell actions apart."""
    with torch.no_grad():
        getattr(network, head).weight.mul_(100.0)
    return network


def quantiles():
    networks = [build_q_network("conv", CONV, SHAPE, seed, dueling=True, quantiles=5) for seed in SEEDS]
    for network, scale in zip(networks, (0.5, 3.0), strict=True):
        network.reward_scale.fill_(scale)
    members = [QPolicy(wider(network, "advantage_head"), WINDOW) for network in networks]
    return members, lambda source=None: QEnsemble(members, source)


def number():
    members = [NetworkPolicy(wider(build_network("conv", CONV, NUMBER, seed)), WINDOW) for seed in SEEDS]
    return members, lambda source=None: EnsemblePolicy(members, source)


def recurrent():
    params = RecurrentParams(hidden=8, memory=5, shared_encoder=False)
    members = [NetworkPolicy(wider(build_network("recurrent", params, SHAPE, seed)), WINDOW) for seed in SEEDS]
    return members, lambda source=None: EnsemblePolicy(members, source)


def two_stage():
    """Attention, since torch's short cut for it in a frozen encoder is no operation of ONNX."""
    params = TransformerParams(token_width=8, heads=2, layers=1, feed_forward=8, shared_encoder=True)
    networks = [wider(build_network("transformer", params, SHAPE, seed)) for seed in SEEDS]
    encoder = networks[0].actor_encoder
    for network in networks:
        network.actor_encoder = FrozenEncoder(encoder)
    members = [NetworkPolicy(each, WINDOW, windows=frozen_windows(each.actor_encoder, WINDOW)) for each in networks]
    return members, lambda source=None: EnsemblePolicy(members, source)


def portfolio():
    members = [learner(seed).policy() for seed in SEEDS]
    return members, lambda source=None: PortfolioEnsemble(members, source)


def zoo(algorithm):
    pytest.importorskip("sb3_contrib", reason="the extra zoo is not installed")
    from zoo_toys import settings

    from seawall.agents.zoo.network import build_zoo_network
    from seawall.agents.zoo.policy import ZooEnsemble, ZooPolicy

    shape = NUMBER if algorithm == "SAC" else SHAPE
    networks = [build_zoo_network(settings(algorithm), "conv", CONV, shape, seed) for seed in SEEDS]
    members = [ZooPolicy(network, WINDOW) for network in networks]
    return members, lambda source=None: ZooEnsemble(members, source)


SLOW = {"recurrent", "portfolio", "two_stage", "PPO", "RecurrentPPO", "DQN", "QRDQN", "SAC"}
FAMILIES = {
    "quantiles": (quantiles, "values"),
    "number": (number, "number"),
    "recurrent": (recurrent, "probabilities"),
    "two_stage": (two_stage, "probabilities"),
    "portfolio": (portfolio, "weights"),
    "PPO": (lambda: zoo("PPO"), "probabilities"),
    "RecurrentPPO": (lambda: zoo("RecurrentPPO"), "probabilities"),
    "DQN": (lambda: zoo("DQN"), "values"),
    "QRDQN": (lambda: zoo("QRDQN"), "values"),
    "SAC": (lambda: zoo("SAC"), "number"),
}
EACH = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in FAMILIES]
_WRITTEN = {}


@pytest.fixture
def written(request, tmp_path_factory):
    """A family's policies and their file, written once: tracing a network takes seconds."""
    name = request.param
    if name not in _WRITTEN:
        members, ensemble = FAMILIES[name][0]()
        path = tmp_path_factory.mktemp("onnx") / f"{name}.onnx"
        sizes = ((3, LOOK.rows, LOOK.columns), STATE) if name == "portfolio" else ((WINDOW, 3), 2)
        write_onnx(ensemble_graph(members), path, sizes, {})
        _WRITTEN[name] = name, members, ensemble, path
    return _WRITTEN[name]


def ground(name):
    if name == "portfolio":
        return small_market(), RowRange(8, 200), STATE, LOOK
    return MARKET, RowRange(WINDOW, 300), 2, WINDOW


@pytest.mark.parametrize("written", EACH, indirect=True)
def test_it_says_and_decides_what_the_networks_do(written):
    name, members, ensemble, path = written
    market, rows, n_account, sees = ground(name)
    graph = OnnxPolicy(path, sees)
    assert (graph.session.kind, graph.session.n_members) == (FAMILIES[name][1], len(members))
    remembers = name in ("recurrent", "RecurrentPPO")
    assert (graph.memory_width > 0) == remembers
    source = np.random.default_rng(0)
    for bars, span, own in ((market, rows, True), (random_market(market, 64, source), RowRange(8, 64), False)):
        found = differences(ensemble(), graph, episodes_of(bars, (span,), n_account, source, remembers=remembers))
        require_parity(found, own=own)
        assert found.decisions >= min(len(span), 200)
        assert found.share < TOLERANCE / 5


@pytest.mark.parametrize("written", EACH, indirect=True)
def test_what_is_drawn_is_what_the_networks_draw(written):
    name, _, ensemble, path = written
    market, rows, n_account, sees = ground(name)
    seen = Observation(market, np.arange(rows.start, rows.start + 40), np.zeros((40, n_account), np.float32))
    networks = ensemble(np.random.default_rng(3))
    getattr(networks, "begin", lambda _n: None)(40)
    drawn = networks.act(seen, deterministic=False)[0]
    ours = OnnxPolicy(path, sees, np.random.default_rng(3)).act(seen, deterministic=False)[0]
    np.testing.assert_allclose(ours, drawn, atol=1e-5)
    with pytest.raises(ConfigError, match="no generator"):
        OnnxPolicy(path, sees).act(seen, deterministic=False)


REMEMBERING = pytest.mark.parametrize(
    "written", [pytest.param(each, marks=pytest.mark.slow) for each in ("recurrent", "RecurrentPPO")], indirect=True
)


def walk(policy, first, bars, n=2):
    """Return what is told on bars in a row, the last with them."""
    told = []
    for step in range(bars):
        seen = Observation(MARKET, np.array([first, first + 100][:n]) + step, np.zeros((n, 2), np.float32))
        told.append(policy.act(seen)[1]["probabilities"])
    return np.array(told)


@REMEMBERING
def test_a_memory_goes_on_within_an_episode_and_is_empty_at_the_next(written):
    _, _, ensemble, path = written
    graph, networks = OnnxPolicy(path, WINDOW), ensemble()
    graph.begin(2)
    networks.begin(2)
    first = walk(graph, 10, 12)
    np.testing.assert_allclose(first, walk(networks, 10, 12), atol=1e-6)
    np.testing.assert_allclose(graph.memory, networks.memory, atol=1e-5)
    assert np.abs(graph.memory).max() > 0.01
    on = walk(graph, 10, 1)
    graph.begin(2)
    anew = walk(graph, 10, 1)
    np.testing.assert_array_equal(anew[0], first[0])
    assert np.abs(on - anew).max() > 1e-4


@REMEMBERING
def test_a_memory_is_handed_from_one_runtime_to_the_other(written):
    _, _, ensemble, path = written
    graph, networks = OnnxPolicy(path, WINDOW), ensemble()
    networks.begin(2)
    walk(networks, 10, 12)
    graph.resume(networks.memory)
    np.testing.assert_allclose(walk(graph, 22, 5), walk(networks, 22, 5), atol=1e-6)
    with pytest.raises(ConfigError, match=r"shape \(2, 3\) is not this network's"):
        graph.resume(np.zeros((2, 3), np.float32))
    with pytest.raises(InvariantError, match="remembers 2 environments was shown 1"):
        walk(graph, 30, 1, n=1)


@pytest.mark.parametrize("written", [pytest.param("two_stage", marks=pytest.mark.slow)], indirect=True)
def test_a_frozen_encoder_that_all_members_have_is_written_once(written):
    import onnx

    _, members, _, path = written
    operations = [node.op_type for node in onnx.load(path).graph.node]
    assert operations.count("Softmax") == 1 + len(members)  # of one attention, and of each head


def test_a_network_with_another_head_is_told_by_its_decisions_and_its_numbers():
    members, ensemble = number()
    observation = Observation(MARKET, np.arange(WINDOW, 40), np.zeros((36, 2), np.float32))

    class Says:
        """A graph that is off by a share of the largest number, or takes another action."""

        memory_width, told = 0, None

        def __init__(self, factor, act=None):
            self.factor, self.other = factor, act

        def act(self, seen, *, deterministic=True):
            actions, details = (ensemble() if self.other is None else self.other).act(seen)
            return actions * self.factor if actions.dtype.kind == "f" else (actions + 1) % 3, details

    assert differences(ensemble(), Says(1.0), [[observation]]).share == 0.0
    off = differences(ensemble(), Says(1.0 + 2e-5), [[observation]])
    assert off.share == pytest.approx(2e-5, rel=1e-2)
    with pytest.raises(DataError, match="actions differ by 2e-05 of the largest"):
        require_parity(off)
    discrete = quantiles()[1]()
    unlike = differences(discrete, Says(1.0, discrete), [[observation]])
    require_parity(unlike, own=False)
    with pytest.raises(DataError, match="takes 36 of 36 decisions otherwise"):
        require_parity(unlike)
    assert len(members) == 2


def test_weights_beyond_what_one_file_holds_are_refused_before_they_are_copied(monkeypatch):
    members = number()[0]
    size = sum(4 * each.numel() for member in members for each in member.network.parameters())
    monkeypatch.setattr(graphs, "MOST_BYTES", size - 1)
    with pytest.raises(
        ConfigError, match=f"2 networks have {size:,} bytes of weights; allowed in one ONNX file: up to {size - 1:,}"
    ):
        ensemble_graph(members)
    monkeypatch.setattr(graphs, "MOST_BYTES", size)
    assert ensemble_graph(members).kind == "number"


def test_members_of_several_kinds_are_refused():
    with pytest.raises(ConfigError, match="decides by number, values; allowed: one kind"):
        ensemble_graph([number()[0][0], quantiles()[0][0]])
    with pytest.raises(ConfigError, match="0 policies decides by nothing"):
        ensemble_graph([])
