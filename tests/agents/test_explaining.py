"""What networks look at: laws of integrated gradients and occlusion, and the scores that they are taken of."""

import numpy as np
import pytest
import torch
from small_portfolio_learner import LOOK, SMALL, STATE, small_market
from torch import nn
from toy import WINDOW, toy_market

from seawall.agents.dqn.policy import QPolicy
from seawall.agents.explaining import methods
from seawall.agents.explaining.attention import attention_maps, mean_attention, rollout
from seawall.agents.explaining.methods import Inputs, integrated_gradients, measured, occlusion, require_captum
from seawall.agents.explaining.scores import Scores, as_it_decides, scores_of
from seawall.agents.explaining.targets import target_named
from seawall.agents.joint_ppo.dirichlet import mean_weights
from seawall.agents.joint_ppo.policy import PortfolioPolicy
from seawall.agents.policy import NetworkPolicy
from seawall.core.errors import ConfigError
from seawall.core.protocols import Observation
from seawall.nets.params import NetworkShape
from seawall.nets.portfolio import PortfolioShape, build_portfolio_network
from seawall.nets.q_network import build_q_network
from seawall.nets.registry import NETWORKS, build_network

pytest.importorskip("captum", reason="the extra explain is not installed")

BARS, LAGS, FEATURES, ACCOUNT = 6, 4, 3, 2
CPU = torch.device("cpu")
NUMBER = target_named("exposure", "number", ())
LEVELS = (-1.0, 0.0, 1.0)
NETWORK_SHAPE = NetworkShape(n_features=3, window=WINDOW, n_account=1, n_actions=3)


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs_of(bars=BARS, account=ACCOUNT, seed=0):
    return Inputs(
        windows=drawn(bars, LAGS, FEATURES, seed=seed),
        account=drawn(bars, account, seed=seed + 1),
        memory=torch.zeros(bars, 0),
        levels=torch.zeros(bars, 3),
        chosen=torch.zeros(bars, dtype=torch.int64),
        usual_windows=0.1 * drawn(LAGS, FEATURES, seed=seed + 2),
        usual_account=0.1 * drawn(account, seed=seed + 3),
    )


def scores_by(forward, kind="number", network=None):
    return Scores(kind, nn.Identity() if network is None else network, CPU, forward)


def silent(_bars):
    return None


LINEAR = methods.Target("first", "the first score itself", lambda scores, _levels, _chosen: scores[:, 0])


def test_integrated_gradients_of_a_linear_policy_are_weight_times_distance_from_the_baseline():
    inputs, weights, own = inputs_of(), drawn(LAGS, FEATURES, seed=7), drawn(ACCOUNT, seed=8)
    scores = scores_by(lambda windows, account, _memory: ((windows * weights).sum((1, 2)) + account @ own)[:, None])
    found = integrated_gradients(scores, LINEAR, inputs, silent)
    np.testing.assert_allclose(found.windows, (weights * (inputs.windows - inputs.usual_windows)).numpy(), atol=2e-6)
    np.testing.assert_allclose(found.account, (own * (inputs.account - inputs.usual_account)).numpy(), atol=2e-6)
    assert found.complete
    assert found.steps.tolist() == [methods.STEPS] * BARS


@pytest.mark.parametrize("kind", ["conv", "lstm", "tcn", "transformer", "autoencoder"])
def test_attributions_add_up_to_the_change_of_the_exposure_for_every_network(kind):
    policy = policy_of(kind)
    scores, seen = scores_of(policy), observation(8)
    inputs = seen_inputs(policy, seen)
    found = integrated_gradients(scores, target_named("exposure", scores.kind, ("a", "b", "c")), inputs, silent)
    size = np.abs(found.change).mean()
    assert size > 1e-4
    assert found.complete
    assert np.abs(found.gap).max() <= methods.TOLERANCE * size
    total = found.windows.sum((1, 2)) + found.account.sum(1)
    np.testing.assert_allclose(total - found.gap, found.change, atol=1e-7)


def test_a_sharp_bend_takes_more_points_and_is_told_where_they_do_not_suffice():
    inputs = inputs_of()
    scores = scores_by(
        lambda windows, account, _memory: torch.tanh(200.0 * (windows[:, 0, 0] - 0.3) + account[:, 0] * 0.0)[:, None]
    )
    found = integrated_gradients(scores, LINEAR, inputs, silent)
    assert found.complete
    assert found.steps.max() > methods.STEPS
    hasty = integrated_gradients(scores, LINEAR, inputs, silent, steps=2, most_steps=2)
    assert not hasty.complete
    assert np.abs(hasty.gap).max() > methods.TOLERANCE * np.abs(hasty.change).mean()


@pytest.mark.parametrize(("lag", "feature"), [(0, 0), (2, 1), (3, 2)])
def test_a_network_that_reads_one_feature_at_one_bar_is_found_out(lag, feature):
    inputs = inputs_of()
    scores = scores_by(lambda windows, _account, _memory: torch.sin(windows[:, lag, feature])[:, None])
    found = integrated_gradients(scores, LINEAR, inputs, silent)
    elsewhere = np.ones((LAGS, FEATURES), dtype=bool)
    elsewhere[lag, feature] = False
    assert np.abs(found.windows[:, elsewhere]).max() == 0.0
    assert np.abs(found.account).max() == 0.0
    change = (torch.sin(inputs.windows[:, lag, feature]) - torch.sin(inputs.usual_windows[lag, feature])).numpy()
    np.testing.assert_allclose(found.windows[:, lag, feature], change, atol=1e-3)
    left_out = occlusion(scores, LINEAR, inputs, silent)
    for changes, place in ((left_out.features, feature), (left_out.lags, lag)):
        np.testing.assert_allclose(changes[:, place], change, atol=1e-6)
        assert np.abs(np.delete(changes, place, axis=1)).max() == 0.0
    assert np.abs(left_out.account).max() == 0.0


def test_what_only_the_account_decides_is_found_in_the_account():
    inputs = inputs_of()
    scores = scores_by(lambda _windows, account, _memory: account[:, 1:].square())
    found, left_out = (method(scores, LINEAR, inputs, silent) for method in (integrated_gradients, occlusion))
    change = (inputs.account[:, 1].square() - inputs.usual_account[1].square()).numpy()
    np.testing.assert_allclose(found.account[:, 1], change, atol=1e-5)
    np.testing.assert_allclose(left_out.account[:, 1], change, atol=1e-6)
    for nothing in (found.windows, found.account[:, 0], left_out.features, left_out.lags, left_out.account[:, 0]):
        assert np.abs(nothing).max() == 0.0


@pytest.mark.parametrize("account", [0, ACCOUNT])
def test_a_constant_policy_gives_zeros(account):
    inputs = inputs_of(account=account)
    scores = scores_by(lambda windows, _account, _memory: torch.full((len(windows), 1), 0.7))
    found, left_out = (method(scores, NUMBER, inputs, silent) for method in (integrated_gradients, occlusion))
    for each in (found.windows, found.account, found.change, found.gap, left_out.features, left_out.lags, left_out.account):
        np.testing.assert_array_equal(each, np.zeros_like(each))
    assert found.complete


def test_bars_taken_a_few_at_a_time_give_what_all_together_give(monkeypatch):
    policy = policy_of("conv")
    scores, inputs = scores_of(policy), seen_inputs(policy, observation(8))
    target = target_named("chosen", scores.kind, ("a", "b", "c"))
    whole = integrated_gradients(scores, target, inputs, silent), occlusion(scores, target, inputs, silent)
    monkeypatch.setattr(methods, "_NUMBERS_AT_ONCE", 40 * WINDOW * 3)
    parts = integrated_gradients(scores, target, inputs, silent), occlusion(scores, target, inputs, silent)
    np.testing.assert_allclose(parts[0].windows, whole[0].windows, atol=1e-6)
    np.testing.assert_allclose(parts[1].features, whole[1].features, atol=1e-6)
    np.testing.assert_allclose(parts[1].lags, whole[1].lags, atol=1e-6)


def policy_of(kind, **settings):
    params = NETWORKS[kind][0](**{**SIZES[kind], **settings})
    network = build_network(kind, params, NETWORK_SHAPE, 0)
    with torch.no_grad():
        network.policy_head.weight.mul_(30.0)
    return NetworkPolicy(network, WINDOW)


SIZES = {
    "conv": {"filters": 4, "hidden": 16},
    "lstm": {"units": 8},
    "tcn": {"channels": (4, 4)},
    "transformer": {"token_width": 8, "heads": 2, "layers": 2, "feed_forward": 16},
    "autoencoder": {"latent": 8},
    "recurrent": {},
}


def observation(n=16):
    return Observation(toy_market(), np.arange(WINDOW, WINDOW + n), np.linspace(-1, 1, n, dtype=np.float32)[:, None])


def seen_inputs(policy, seen, memory=None):
    windows = policy._windows(seen)
    n = len(windows)
    return Inputs(
        windows=windows,
        account=torch.as_tensor(seen.account),
        memory=torch.zeros(n, 0) if memory is None else memory,
        levels=torch.tensor([LEVELS] * n),
        chosen=torch.arange(n) % 3,
        usual_windows=windows.mean(0),
        usual_account=torch.zeros(1),
    )


@pytest.mark.parametrize("kind", sorted(SIZES))
def test_the_scores_of_a_network_are_what_it_decides_by(kind):
    policy, seen = policy_of(kind), observation()
    policy.begin(len(seen.rows))
    policy.probabilities(seen)
    memory = torch.as_tensor(policy.memory)
    expected = policy.probabilities(seen)
    scores, inputs = scores_of(policy), seen_inputs(policy, seen, memory)
    assert scores.kind == "preferences"
    found = torch.softmax(scores.forward(inputs.windows, inputs.account, inputs.memory), 1)
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-6)


def test_a_gradient_step_s_dropout_is_off_while_a_network_is_explained_and_on_after():
    policy = policy_of("transformer", dropout=0.5)
    scores, inputs = scores_of(policy), seen_inputs(policy, observation())
    shown = scores.forward(inputs.windows, inputs.account, inputs.memory)
    with as_it_decides(policy.network):
        decided = [scores.forward(inputs.windows, inputs.account, inputs.memory) for _ in range(2)]
    np.testing.assert_allclose(torch.softmax(decided[0], 1).detach().numpy(), policy.probabilities(observation()), atol=1e-6)
    torch.testing.assert_close(decided[0], decided[1])
    assert not torch.allclose(shown, decided[0])
    assert not torch.allclose(scores.forward(inputs.windows, inputs.account, inputs.memory), decided[0])


def test_the_scores_of_a_q_network_are_its_values_and_those_of_a_portfolio_its_weights():
    q_network = build_q_network("conv", NETWORKS["conv"][0](**SIZES["conv"]), NETWORK_SHAPE, 0)
    policy, seen = QPolicy(q_network, WINDOW), observation()
    scores, inputs = scores_of(policy), seen_inputs(policy, seen)
    found = scores.forward(inputs.windows, inputs.account, inputs.memory)
    assert scores.kind == "values"
    np.testing.assert_allclose(found.detach().numpy(), policy.values(seen), atol=1e-7)

    network = build_portfolio_network(SMALL, PortfolioShape(3, LOOK.rows, LOOK.columns, STATE), 0)
    portfolio, market = PortfolioPolicy(network, LOOK), small_market()
    seen = Observation(market, np.arange(50, 54), np.zeros((4, STATE), np.float32))
    scores = scores_of(portfolio)
    found = scores.forward(portfolio._windows(seen), torch.zeros(4, STATE), torch.zeros(4, 0))
    assert scores.kind == "weights"
    np.testing.assert_allclose(found.detach().numpy(), mean_weights(portfolio.concentrations(seen)), atol=1e-6)


def test_a_policy_without_a_network_is_refused():
    with pytest.raises(ConfigError, match="class Flat has no network that can be followed; allowed: runs of the agents ppo"):
        scores_of(type("Flat", (), {})())


SCORES = torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
EXPOSURES = torch.tensor([[-1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
CHOSEN = torch.tensor([2, 0])


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        # (e^3 - 1) / (1 + e + e^3), and three equal actions that all ask for 1.
        ("exposure", "preferences", [(np.exp(3.0) - 1.0) / (1.0 + np.exp(1.0) + np.exp(3.0)), 1.0]),
        ("chosen", "preferences", [5.0 / 3.0, 0.0]),
        ("up", "preferences", [5.0 / 3.0, 0.0]),
        ("down", "values", [-4.0 / 3.0, 0.0]),
        # Least squares through (-1, 0), (0, 1), (1, 3); and no slope where all ask for one exposure.
        ("exposure", "values", [1.5, 0.0]),
        ("exposure", "number", [0.0, np.tanh(2.0)]),
        ("exposure", "weights", [1.0, -1.0]),
        ("concentration", "weights", [10.0, 12.0]),
        ("flat", "weights", [1.0, 2.0]),
    ],
)
def test_a_target_is_the_number_that_it_says(name, kind, expected):
    measure = target_named(name, kind, ("down", "flat", "up")).measure
    np.testing.assert_allclose(measure(SCORES, EXPOSURES, CHOSEN).numpy(), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "kind", "names", "allowed"),
    [
        ("BUY", "preferences", ("SELL", "HOLD"), "exposure, chosen, SELL, HOLD"),
        ("chosen", "number", (), "exposure"),
        ("chosen", "weights", ("cash", "BTC"), "exposure, concentration, cash, BTC"),
        ("concentration", "values", ("SELL",), "exposure, chosen, SELL"),
    ],
)
def test_a_target_that_a_policy_has_not_is_refused(name, kind, names, allowed):
    with pytest.raises(ConfigError, match=f"target '{name}' is none of this policy's; allowed: {allowed}$"):
        target_named(name, kind, names)


def test_an_input_times_nothing_adds_nothing_to_the_target():
    inputs = inputs_of()
    scores = scores_by(lambda windows, _account, _memory: windows[:, 0, :1])
    function = measured(scores, LINEAR)
    torch.testing.assert_close(
        function(inputs.windows, inputs.account, inputs.memory, inputs.levels, inputs.chosen), inputs.windows[:, 0, 0]
    )


def test_without_captum_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"captum, of the extra explain; install it with: pip install .*'\.\[explain\]'"):
        require_captum()


def test_the_maps_of_a_transformer_are_shares_and_leave_it_as_it_was():
    policy = policy_of("transformer")
    scores, inputs = scores_of(policy), seen_inputs(policy, observation(4))

    def look():
        return scores.forward(inputs.windows, inputs.account, inputs.memory)

    before = look()
    maps = attention_maps(policy.network, look)
    # Policy and value have an encoder each; only the policy's takes part.
    assert [tuple(each.shape) for each in maps] == [(4, WINDOW, WINDOW)] * 2
    for each in (*(found.sum(2).numpy() for found in maps), mean_attention(maps).sum(1), rollout(maps).sum(1)):
        np.testing.assert_allclose(each, 1.0, atol=1e-5)
    torch.testing.assert_close(look(), before)
    assert attention_maps(policy_of("conv").network, lambda: None) == []


def test_rollout_follows_what_passes_and_what_stays():
    first = torch.zeros(1, 3, 3)
    first[:, :, 0] = 1.0
    # Every token takes all from the first: half of each stays where it is, half comes from the first.
    np.testing.assert_allclose(rollout([first]), [[0.5 + 0.5 / 3.0, 0.5 / 3.0, 0.5 / 3.0]])
    np.testing.assert_allclose(mean_attention([first, torch.eye(3)[None]]), [[4.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0]])
    np.testing.assert_allclose(rollout([first, first]), [[0.75 + 0.25 / 3.0, 0.25 / 3.0, 0.25 / 3.0]])
