import json

import numpy as np
import pytest
import torch
from exact_toys import WINDOW, market_of, random_market, signal_market, whole
from safetensors.torch import load_file, save_file

from seawall.agents.bundle import weights_hash
from seawall.agents.exact.exact import ExactGradient
from seawall.agents.exact.params import ExactParams
from seawall.agents.exact.problem import ExactProblem
from seawall.core.errors import DataError, InvariantError
from seawall.core.files import to_json
from seawall.core.protocols import Observation
from seawall.nets.registry import ConvParams, NetworkShape, build_network
from seawall.simulator.actions.registry import action_scheme
from seawall.simulator.costs.params import CostParams
from seawall.simulator.settings import SimulatorParams
from seawall.simulator.simulator import replay

PARAMS = ExactParams(total_steps=131_072, n_segments=16, segment_bars=64, gradient_steps=8, learning_rate=3e-3)
# 50 basis points a unit: to turn around costs what two and a half bars earn, so that only what is held on to pays.
COSTS = CostParams(taker_bps=50.0, spread_bps=0.0)
LEVELS = (-1.0, 0.0, 1.0)


def learner(market, seed=0, hidden=32, scheme="target_exposure", **changes):
    n_actions = len(action_scheme(scheme, True).action_names)
    shape = NetworkShape(market.features.shape[1], WINDOW, 1, n_actions)
    network = build_network("conv", ConvParams(filters=8, hidden=hidden, shared_encoder=True), shape, seed)
    problem = ExactProblem(market, whole(market), WINDOW, action_scheme(scheme, True), COSTS, SimulatorParams())
    return ExactGradient(network, PARAMS.model_copy(update=changes), problem, seed=seed)


def small(seed=0, hidden=16, **changes):
    return learner(random_market(400, 1), seed, hidden, **{"n_segments": 4, "segment_bars": 16, "gradient_steps": 3, **changes})


def trained(exact):
    while exact.steps < exact.total_steps:
        last = exact.update()
    return last


def growth(market, targets):
    """Net log growth per bar in the simulator, as it trades."""
    rows = whole(market)
    equity = replay(market, rows, targets[:-1, None], COSTS, np.ones(1))
    return float(np.log(equity[-1, 0] / equity[0, 0])) / (len(market) - 1)


def share_of_attainable(policy):
    """Growth on unseen rows over that of who follows the sign, which is best at these costs: 0.4 % a bar, 1 % a turn each ten."""
    market, sign = signal_market(3_000, seed=99)
    rows, targets, held = np.arange(WINDOW - 1, len(market)), np.zeros(len(market)), 1
    choices = [policy.act(Observation(market, rows, np.full((len(rows), 1), level, np.float32)))[0] for level in LEVELS]
    for place, row in enumerate(rows.tolist()):
        held = int(choices[held][place])
        targets[row] = LEVELS[held]
    return growth(market, targets) / growth(market, sign)


def test_it_learns_in_128_gradient_steps_to_hold_on_where_no_single_bar_pays_its_costs():
    exact = learner(signal_market(6_000, seed=0)[0])
    diagnostics = trained(exact)
    assert share_of_attainable(exact.policy()) > 0.75
    assert diagnostics["mean_reward"] > 0.002
    assert diagnostics["turnover"] < 0.35


def test_it_learns_nothing_where_the_features_are_those_of_other_bars():
    exact = learner(signal_market(6_000, seed=0, shuffled=True)[0])
    trained(exact)
    assert share_of_attainable(exact.policy()) < 0.2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    def weights(seed):
        exact = small(seed)
        exact.update()
        exact.update()
        return weights_hash(exact.weights())

    first = weights(3)
    assert weights(3) == first
    assert weights(4) != first


def test_a_resumed_learner_ends_with_the_weights_of_one_never_stopped(tmp_path):
    whole_one, stopped = small(5), small(5)
    for _ in range(5):
        last_of_whole = whole_one.update()
    for _ in range(2):
        stopped.update()
    tensors, values = stopped.state()
    save_file(tensors, tmp_path / "state.safetensors")
    resumed = small(77)
    resumed.load_state(load_file(tmp_path / "state.safetensors"), json.loads(to_json(values)))
    for _ in range(3):
        last = resumed.update()
    assert weights_hash(resumed.weights()) == weights_hash(whole_one.weights())
    assert {**last, "steps_per_second": 0.0} == {**last_of_whole, "steps_per_second": 0.0}


def test_a_checkpoint_of_another_network_is_refused_naming_the_shapes():
    tensors, values = small(hidden=8).state()
    with pytest.raises(DataError, match=r"policy_head\.weight: network \(3, 17\), saved \(3, 9\)"):
        small(hidden=16).load_state(tensors, values)


def test_steps_are_bars_evaluated_and_an_update_is_several_gradient_steps():
    exact = small()
    assert exact.params.bars_per_update == 4 * 16 * 3
    assert exact.update()["steps"] == exact.steps == 192
    assert exact.total_steps == PARAMS.total_steps


def test_the_diagnostics_of_a_fresh_policy_are_those_of_chance():
    exact = small(learning_rate=1e-9)
    diagnostics = exact.update()
    assert diagnostics["entropy"] == pytest.approx(np.log(3), abs=1e-2)
    assert [diagnostics[f"action_share_{action}"] for action in range(3)] == pytest.approx([1 / 3] * 3, abs=1e-2)
    # From each of -1, 0, 1 to each of them alike: (0 + 1 + 2 + 1 + 0 + 1 + 2 + 1 + 0) / 9 exposures a bar, at 0.5 % each.
    assert diagnostics["turnover"] == pytest.approx(8 / 9, abs=1e-2)
    assert diagnostics["mean_reward"] == pytest.approx(-0.005 * 8 / 9, abs=1e-3)


def test_schedules_end_at_zero_and_constants_where_they_began():
    linear = small(entropy_schedule="linear")
    constant = small(entropy_schedule="constant", learning_rate_schedule="constant")
    for exact in (linear, constant):
        exact.steps = PARAMS.total_steps
    ends, stays = linear.update(), constant.update()
    assert (ends["learning_rate"], ends["entropy_coefficient"]) == (0.0, 0.0)
    assert (stays["learning_rate"], stays["entropy_coefficient"]) == (PARAMS.learning_rate, PARAMS.entropy_coefficient)


def test_at_a_learning_rate_of_zero_nothing_moves_the_account_weights_included():
    exact = small()
    exact.steps = PARAMS.total_steps
    before = weights_hash(exact.weights())
    exact.update()
    assert weights_hash(exact.weights()) == before


def test_the_account_weights_take_longer_steps_of_the_same_gradient():
    plain, hastened = (small(account_rate=rate, gradient_steps=1, weight_decay=0.0) for rate in (1.0, 16.0))
    start = plain.weights()["policy_head.weight"]
    for exact in (plain, hastened):
        exact.update()
    moved, further = (exact.weights()["policy_head.weight"] - start for exact in (plain, hastened))
    torch.testing.assert_close(further[:, -1], 16.0 * moved[:, -1], rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(further[:, :-1], moved[:, :-1])


def test_rewards_are_scaled_by_the_largest_deviation_of_a_decision_and_by_none_where_not_asked():
    exact = small()
    assert exact.reward_scale == pytest.approx(float(exact.table.std(0).max()), rel=1e-6)
    assert small(normalise_reward=False).reward_scale == 1.0
    still = market_of(np.full((400, 5), 100.0), np.zeros((400, 2), np.float32))
    assert learner(still, n_segments=4, segment_bars=16).reward_scale == 1.0


def test_a_stretch_is_the_same_whatever_stands_beside_it():
    exact = small()
    both, alone = (exact.evaluate(torch.tensor(starts)) for starts in ([5, 90], [90]))
    torch.testing.assert_close(both.advantages[1:], alone.advantages, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(both.returns[1:], alone.returns, rtol=1e-4, atol=1e-5)


def test_what_the_critic_says_of_the_end_is_discounted_to_every_bar_and_is_no_advantage():
    def told(worth):
        exact = small()
        with torch.no_grad():
            exact.network.value_head.weight.zero_()
            exact.network.value_head.bias.fill_(worth)
        return exact.evaluate(torch.tensor([90]))

    nothing, much = told(0.0), told(50.0)
    expected = 50.0 * PARAMS.gamma ** torch.arange(16, 0, -1.0)
    torch.testing.assert_close((much.returns - nothing.returns)[0], expected[:, None].expand(-1, 3), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(much.advantages, nothing.advantages, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("scheme", ["sell_buy_hold", "hold_long_short_close"])
def test_other_numberings_are_learned_from_as_well(scheme):
    exact = learner(random_market(400, 1), scheme=scheme, n_segments=4, segment_bars=16)
    diagnostics = exact.update()
    assert diagnostics["entropy"] > 0.5
    assert sum(value for name, value in diagnostics.items() if name.startswith("action_share_")) == pytest.approx(1.0, abs=1e-5)


def test_a_feature_that_is_no_number_stops_the_training_and_is_named_by_its_row():
    market = random_market(80, 1)
    market.features[40, 1] = np.nan
    with pytest.raises(InvariantError, match=r"diverged at step 0: .*; a feature of row 40 is not finite"):
        learner(market, n_segments=8, segment_bars=60).update()


def test_weights_that_are_no_numbers_stop_the_training_name_the_learning_rate_and_leave_the_batch(tmp_path):
    exact = small()
    exact.failure_folder = tmp_path
    with torch.no_grad():
        exact.network.value_head.weight.fill_(float("nan"))
    with pytest.raises(InvariantError, match=r"weights are no longer finite and the features .* lower learning_rate 0.003"):
        exact.update()
    [folder] = tmp_path.iterdir()
    saved = load_file(folder / "batch.safetensors")
    assert saved["rewards"].shape[:2] == saved["rows"].shape == (exact.params.n_segments, exact.params.segment_bars)
    assert np.isnan(json.loads((folder / "batch.json").read_text())["tallied"]["gradient_norm"] or np.nan)


def test_the_policy_is_one_that_every_backtest_can_ask():
    exact = small()
    actions, told = exact.policy().act(Observation(exact.problem.market, np.arange(10, 20), np.zeros((10, 1), np.float32)))
    assert actions.shape == (10,)
    assert told["probabilities"].shape == (10, 3)
