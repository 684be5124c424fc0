"""Agents of Stable-Baselines3 learn on the simulator, from windows and from rows alike, and are saved without the market."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.utils import get_action_masks
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.torch_layers import CombinedExtractor
from torch import nn

from seawall.agents.sb3_gathering import FeatureSource, GatheringExtractor, gather_from
from seawall.core.errors import ConfigError, DataError
from seawall.core.market import Market, RowRange
from seawall.core.timeframe import Timeframe
from seawall.envs.params import EnvironmentParams
from seawall.envs.sb3 import SB3VecEnv
from seawall.envs.vector import TradingVectorEnv
from seawall.nets.conv import ConvEncoder
from seawall.simulator.actions.registry import action_scheme

COLUMNS, WINDOW = 3, 4
SMALL = {"net_arch": [8]}


def market(rows: int = 400, seed: int = 0) -> Market:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(rows) * 0.01))
    prices = np.stack([close, close * 1.01, close * 0.99, close, np.ones(rows)], axis=1)
    features = rng.standard_normal((rows, COLUMNS)).astype(np.float32)
    times = np.arange(rows, dtype=np.int64) * 3_600_000
    return Market(("S",), (0, rows), Timeframe(3_600), times, prices, features, ("a", "b", "c"), (0,))


def face(kind: str, scheme: str = "target_exposure", n: int = 4, bars: Market | None = None) -> SB3VecEnv:
    bars = market() if bars is None else bars
    params = EnvironmentParams(window=WINDOW, episode_bars=25)
    batch = TradingVectorEnv(bars, RowRange(0, len(bars)), n, action_scheme(scheme, short=True), params=params)
    return SB3VecEnv(batch, kind)


def conv(window: int, columns: int) -> nn.Module:
    return ConvEncoder(columns, window, filters=4, hidden=8)


def gathering(bars: Market, **settings: Any) -> dict[str, Any]:
    """Keywords of a policy that gathers its windows; a new dictionary, for SAC writes into the one it is given."""
    keywords = {"source": FeatureSource(bars), "window": WINDOW, **settings}
    return SMALL | {"features_extractor_class": GatheringExtractor, "features_extractor_kwargs": keywords}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


BARS = market()
ON_POLICY = {"n_steps": 32, "batch_size": 32, "n_epochs": 2}
OFF_POLICY = {"learning_starts": 32, "batch_size": 16, "buffer_size": 500, "train_freq": 4}
AGENTS: dict[str, tuple[type[BaseAlgorithm], str, str, dict[str, Any], dict[str, Any]]] = {
    "PPO flat": (PPO, "flat", "sell_buy_hold", ON_POLICY, {}),
    "PPO window": (PPO, "window", "sell_buy_hold", ON_POLICY, {}),
    "PPO index": (PPO, "index", "sell_buy_hold", ON_POLICY, {}),
    "PPO index, convolution": (PPO, "index", "target_exposure", ON_POLICY, {"encoder": conv}),
    "A2C": (A2C, "index", "target_exposure", {}, {}),
    "DQN": (DQN, "index", "buy_sell_hold", OFF_POLICY, {}),
    "SAC, thresholded": (SAC, "index", "thresholded", OFF_POLICY, {}),
    "SAC, continuous": (SAC, "flat", "continuous_target", OFF_POLICY, {}),
    "QRDQN": (QRDQN, "index", "target_exposure", OFF_POLICY, {}),
    "RecurrentPPO": (RecurrentPPO, "index", "target_exposure", ON_POLICY, {}),
    "MaskablePPO": (MaskablePPO, "index", "hold_long_short_close", ON_POLICY, {}),
}


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_learns_without_a_warning_and_acts_the_same_after_being_saved(agent, tmp_path):
    algorithm, kind, scheme, settings, gathered = AGENTS[agent]
    env = face(kind, scheme)
    policy = "MlpPolicy" if kind == "flat" else "MultiInputLstmPolicy" if algorithm is RecurrentPPO else "MultiInputPolicy"
    keywords = gathering(BARS, **gathered) if kind == "index" else dict(SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = algorithm(policy, env, policy_kwargs=keywords, seed=1, device="cpu", **settings)
        before = [parameter.clone() for parameter in model.policy.parameters()]
        model.learn(320)
        model.save(tmp_path / "model")
        again = algorithm.load(tmp_path / "model", env=face(kind, scheme), device="cpu")
    assert model.num_timesteps >= 320
    assert any(not torch.equal(old, new) for old, new in zip(before, model.policy.parameters(), strict=True))
    assert len(model.ep_info_buffer) >= 8
    if kind == "index":
        gather_from(again, BARS)
    env.seed(3)
    seen = env.reset()
    for _ in range(10):
        masks = {"action_masks": get_action_masks(env)} if isinstance(model, MaskablePPO) else {}
        actions, _ = model.predict(seen, deterministic=True, **masks)
        assert actions.tobytes() == again.predict(seen, deterministic=True, **masks)[0].tobytes()
        seen, *_ = env.step(actions)


def test_a_masked_agent_makes_no_illegal_move():
    env = face("flat", "hold_long_short_close")
    model = MaskablePPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=1, policy_kwargs=dict(SMALL), seed=0, device="cpu")
    illegal = []
    model.learn(
        256, callback=lambda known, _: illegal.extend(one["account"]["illegal_moves"] for one in known["infos"] if one) or True
    )
    assert illegal == [0] * 8


def test_gathered_features_equal_those_of_windows_bit_for_bit():
    index, window = face("index"), face("window")
    gathered = GatheringExtractor(index.observation_space, FeatureSource(index.batch.market), WINDOW)
    combined = CombinedExtractor(window.observation_space)
    assert gathered.features_dim == combined.features_dim == 4 + WINDOW * COLUMNS
    for env in (index, window):
        env.seed(5)
    rows, whole = index.reset(), window.reset()
    for _ in range(30):
        tensors = [{name: torch.as_tensor(block) for name, block in seen.items()} for seen in (rows, whole)]
        assert torch.equal(gathered(tensors[0]), combined(tensors[1]))
        rows, whole = index.step(np.full(4, 2))[0], window.step(np.full(4, 2))[0]


def test_an_agent_that_gathers_learns_the_same_weights_as_one_that_is_shown_windows():
    learned = []
    for kind, policy, keywords in (("flat", "MlpPolicy", dict(SMALL)), ("index", "MultiInputPolicy", gathering(BARS))):
        model = PPO(policy, face(kind), n_steps=32, batch_size=64, policy_kwargs=keywords, seed=2, device="cpu")
        learned.append(list(model.learn(256).policy.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(*learned, strict=True))


def test_the_padding_of_sequences_is_shown_the_first_window_and_the_account_that_came_with_it():
    extractor = GatheringExtractor(face("index").observation_space, FeatureSource(BARS), WINDOW)
    seen = {"row": torch.tensor([[0.0, 0.0], [0.0, 3.0]]), "account": torch.zeros(2, 4)}
    first = BARS.features[:WINDOW].ravel().tolist()
    assert extractor(seen)[:, 4:].tolist() == [first, first]


def test_the_padding_of_sequences_is_warm_where_the_first_rows_of_a_market_are_not():
    features = BARS.features.copy()
    features[:7] = np.nan
    bars = dataclasses.replace(BARS, features=features, ready=(7,))
    seen = {"row": torch.tensor([[0.0, 0.0], [0.0, 11.0]]), "account": torch.zeros(2, 4)}
    first, own = bars.features[7:11].ravel().tolist(), bars.features[8:12].ravel().tolist()
    extractor = GatheringExtractor(face("index").observation_space, FeatureSource(bars), WINDOW)
    assert extractor(seen)[:, 4:].tolist() == [first, own]

    model = RecurrentPPO(
        "MultiInputLstmPolicy", face("index", bars=bars), policy_kwargs=gathering(bars), seed=1, device="cpu", **ON_POLICY
    )
    model.learn(320)  # twelve episodes end within these steps, so that sequences of several lengths are padded
    assert all(bool(parameter.isfinite().all()) for parameter in model.policy.parameters())


def test_rows_beyond_what_one_float32_holds_are_gathered_exactly():
    features = torch.zeros(2**24 + 64, 1)
    features[2**24 + 1], features[2**24 + 3] = 1.0, 3.0
    source = FeatureSource(market())
    source.names, source.features = ("a",), features
    extractor = GatheringExtractor(face("index").observation_space, source, 1)
    seen = {"row": torch.tensor([[256.0, 1.0], [256.0, 3.0]]), "account": torch.zeros(2, 4)}
    assert extractor(seen)[:, 4].tolist() == [1.0, 3.0]


def test_a_saved_model_holds_no_market(tmp_path):
    bars = market(rows=200_000)  # 2.4 MB of features
    model = PPO("MultiInputPolicy", face("index", bars=bars), policy_kwargs=gathering(bars, encoder=conv), device="cpu")
    model.save(tmp_path / "model")
    assert (tmp_path / "model.zip").stat().st_size < 120_000
    assert [name for name in model.policy.state_dict() if name.endswith(".features")] == []
    assert model.policy.features_extractor.features.data_ptr() == torch.from_numpy(bars.features).data_ptr()


def saved(folder: Path, **settings: Any) -> PPO:
    keywords = gathering(BARS, **settings)
    PPO("MultiInputPolicy", face("index"), policy_kwargs=keywords, device="cpu", **ON_POLICY).save(folder / "model")
    return PPO.load(folder / "model", device="cpu")


def test_a_loaded_model_asks_for_its_market(tmp_path):
    model = saved(tmp_path)
    seen = face("index").reset()
    with pytest.raises(ConfigError, match=r"call gather_from\(model, market\) first"):
        model.predict(seen)
    gather_from(model, BARS)
    assert model.predict(seen)[0].shape == (4,)


def test_a_loaded_model_goes_on_learning_on_another_market(tmp_path):
    model, other = saved(tmp_path, encoder=conv), market(rows=900, seed=4)
    gather_from(model, other)
    model.set_env(face("index", bars=other))
    model.learn(128)
    assert model.num_timesteps == 128


def test_a_market_with_other_columns_is_refused(tmp_path):
    model = saved(tmp_path)
    with pytest.raises(DataError, match=r"features \['a', 'c', 'b'\]; the model was trained on \['a', 'b', 'c'\]"):
        gather_from(model, dataclasses.replace(BARS, feature_names=("a", "c", "b")))


def test_a_model_that_gathers_nothing_needs_no_market():
    model = PPO("MlpPolicy", face("flat"), policy_kwargs=dict(SMALL), device="cpu")
    with pytest.raises(ConfigError, match="has no GatheringExtractor"):
        gather_from(model, BARS)


def test_observations_without_rows_are_refused():
    with pytest.raises(ConfigError, match="allowed: a dictionary of 'row' and 'account'"):
        GatheringExtractor(face("window").observation_space, FeatureSource(BARS), WINDOW)


def test_an_encoder_must_make_one_line_of_numbers_of_a_window():
    with pytest.raises(ConfigError, match=r"makes shape \(1, 4, 3\) of one window; allowed: \(1, width\)"):
        GatheringExtractor(face("index").observation_space, FeatureSource(BARS), WINDOW, encoder=lambda *_: nn.Identity())
