"""Acceptance tests of the five-regime market."""

import hashlib

import numpy as np
import pytest
from pydantic import ValidationError

from seawall.core.bars import bars_digest
from seawall.market.checks.quality import QualityParams, apply_quality
from seawall.market.formats.tables import write_tables
from seawall.market.synthetic.facts import autocorrelation, stylised_facts
from seawall.market.synthetic.regimes import REGIME_NAMES, Regime, RegimeParams, regime_bars

TEN_YEARS = 350_400
SEEDS = [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 10))]
# Of 25 frequencies a seed, one in 6,000 seeds has one beyond 4.5 deviations by chance.
DEVIATIONS = 4.5


@pytest.fixture(scope="module", params=SEEDS)
def market(request):
    return regime_bars(RegimeParams(n_bars=TEN_YEARS), request.param)


@pytest.fixture(scope="module", params=SEEDS)
def brownian(request):
    return regime_bars(RegimeParams(n_bars=TEN_YEARS, process="gbm"), request.param)


def _log_returns(market):
    return np.diff(np.log(market.bars["close"].to_numpy()))


def _transitions(market):
    followed = np.zeros((5, 5))
    np.add.at(followed, (market.spells[:-1, 1], market.spells[1:, 1]), 1)
    return followed


def test_tails_are_fat(market):
    assert stylised_facts(market.bars)["excess_kurtosis"] > 1


def test_volatility_clusters_and_the_clusters_fade_slowly(market):
    size = np.abs(_log_returns(market))
    first, fifth, tenth, twentieth = (autocorrelation(size, lag) for lag in (1, 5, 10, 20))
    assert first > 0.1
    assert first > fifth > tenth > twentieth > 0
    assert tenth > 0.4 * first
    assert twentieth > 0.2 * first


def _strongest_autocorrelation(market):
    returns = _log_returns(market)
    return max(abs(autocorrelation(returns, lag)) for lag in range(1, 51))


def test_returns_are_all_but_uncorrelated(market):
    assert _strongest_autocorrelation(market) < 0.05


def test_returns_without_reversion_are_all_but_uncorrelated(brownian):
    assert _strongest_autocorrelation(brownian) < 0.05


def test_regimes_follow_each_other_as_the_matrix_says(market):
    followed = _transitions(market)
    chances = np.array(RegimeParams().transitions)
    ended = followed.sum(axis=1, keepdims=True)
    allowed = DEVIATIONS * np.sqrt(ended * chances * (1 - chances))
    assert (np.abs(followed - ended * chances) < allowed).all()


def test_contraction_ends_in_expansion_six_times_in_ten(market):
    ended = _transitions(market)[REGIME_NAMES.index("volatility_contraction")]
    share = ended[REGIME_NAMES.index("volatility_expansion")] / ended.sum()
    assert abs(share - 0.60) < DEVIATIONS * np.sqrt(0.6 * 0.4 / ended.sum())


def test_volume_is_ordered_as_the_factors_of_the_regimes(market):
    means = [market.bars["volume"][market.regimes == regime].mean() for regime in range(5)]
    factors = [regime.volume for regime in RegimeParams().regimes()]
    assert np.argsort(means).tolist() == np.argsort(factors).tolist()


def test_bars_are_sound_and_spells_have_their_lengths(market):
    bars, report = apply_quality(market.bars, QualityParams())
    assert (len(bars), report.gaps, report.zero_volume) == (TEN_YEARS, 0, 0)
    lengths = np.diff(market.spells[:, 0])
    for number, regime in enumerate(RegimeParams().regimes()):
        seen = lengths[market.spells[:-1, 1] == number]
        assert (seen.min(), seen.max()) == (regime.shortest, regime.longest - 1)
    labels = np.repeat(market.spells[:, 1], np.diff(np.append(market.spells[:, 0], TEN_YEARS)))
    np.testing.assert_array_equal(market.regimes, labels)
    assert market.regimes.dtype == np.int8


def test_time_spent_in_each_regime_is_the_long_run_share(market):
    shares = np.bincount(market.regimes, minlength=5) / TEN_YEARS
    # spells are few hundred bars long: about two standard errors
    np.testing.assert_allclose(shares, RegimeParams().occupancy(), atol=0.03)


def test_ranges_agree_with_returns_as_on_a_continuous_path(market):
    # Parkinson's estimate from high and low equals the close-to-close deviation where the path is continuous.
    ranges = np.log(market.bars["high"] / market.bars["low"])
    parkinson = np.sqrt((ranges**2).mean() / (4 * np.log(2)))
    # gaps and discrete shocks bias the estimate by a few percent
    assert parkinson / _log_returns(market).std() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("annual", [-0.5, 0.0, 0.3])
def test_the_mixture_of_drifts_is_the_one_asked_for(annual):
    params = RegimeParams(annual_drift=annual)
    assert params.occupancy() @ params.drifts() * 365.25 * 96 == pytest.approx(annual, abs=1e-12)
    raw = [regime.drift for regime in params.regimes()]
    assert np.ptp(params.drifts() - raw) == pytest.approx(0.0, abs=1e-15)


def test_long_run_shares_of_a_chain_known_by_hand():
    # Two regimes in turn, of 2 and of 4 to 8 bars (mean 6), take a quarter and three quarters of the time.
    alternate = tuple((0.0, 1.0, 0.0, 0.0, 0.0) if row != 1 else (1.0, 0.0, 0.0, 0.0, 0.0) for row in range(5))
    short = Regime(drift=0, volatility=1, reversion=0, volume=1, shortest=2, longest=3)
    longer = Regime(drift=0, volatility=1, reversion=0, volume=1, shortest=4, longest=9)
    params = RegimeParams(transitions=alternate, uptrend=short, downtrend=longer)
    np.testing.assert_allclose(params.occupancy(), [0.25, 0.75, 0, 0, 0], atol=1e-12)


def _plain(**settings):
    still = {name: Regime(drift=0, volatility=1, reversion=0, volume=1, shortest=50, longest=51) for name in REGIME_NAMES}
    return RegimeParams(**{"n_bars": 200_000, "gap_chance": 0, "daily_gap_chance": 0, "process": "gbm", **still, **settings})


def test_variance_clusters_about_the_base_volatility():
    returns = _log_returns(regime_bars(_plain(tail_freedom=100, fall_excess=1.0, memory=0.8), 0))
    # four standard errors of a clustered deviation
    assert returns.std() == pytest.approx(0.002, rel=0.03)


def test_without_clustering_shocks_are_students_own():
    # Excess kurtosis of Student's t is 6 / (freedom - 4).
    returns = _log_returns(regime_bars(_plain(shock_weight=0, memory=0, tail_freedom=16), 0))
    centred = returns - returns.mean()
    # four standard errors of the kurtosis of 200,000 draws
    assert (centred**4).mean() / returns.var() ** 2 - 3 == pytest.approx(0.5, abs=0.1)


def test_without_reversion_both_processes_are_the_same():
    assert bars_digest(regime_bars(_plain(process="ou"), 3).bars) == bars_digest(regime_bars(_plain(), 3).bars)


def test_reversion_pulls_back_to_the_moving_mean():
    pull = {name: Regime(drift=0, volatility=1, reversion=0.2, volume=1, shortest=50, longest=51) for name in REGIME_NAMES}
    steady = regime_bars(_plain(process="ou", shock_weight=0, memory=0, **pull), 0)
    logs = np.log(steady.bars["close"].to_numpy())
    mean, distances = logs[0], []
    for price in logs[:-1]:
        mean += 2 / 97 * (price - mean)
        distances.append(mean - price)
    slope = np.polyfit(distances[500:], np.diff(logs)[500:], 1)[0]
    assert slope == pytest.approx(0.2, abs=0.01)


def test_volume_is_proportional_to_the_factor_of_its_regime():
    factors = {
        name: Regime(drift=0, volatility=1, reversion=0, volume=1.0 + number, shortest=50, longest=51)
        for number, name in enumerate(REGIME_NAMES)
    }
    market = regime_bars(_plain(shock_weight=0, memory=0, **factors), 0)
    means = np.array([market.bars["volume"][market.regimes == regime].mean() for regime in range(5)])
    # four standard errors of the mean of 40,000 lognormal draws
    np.testing.assert_allclose(means / means[0], [1, 2, 3, 4, 5], rtol=0.04)


def test_gaps_open_bars_at_the_stated_rate_and_stay_in_the_price():
    market = regime_bars(_plain(base_volatility=1e-6, gap_chance=0.02, daily_gap_chance=0.5, open_noise=0.0), 0)
    bars = market.bars
    opened = np.log(bars["open"].to_numpy()[1:] / bars["close"].to_numpy()[:-1])
    jumped = np.abs(opened) > 1e-4
    daily = np.arange(1, len(bars)) % 96 == 0
    # four standard errors of 2,083 draws at one half
    assert jumped[daily].mean() == pytest.approx(0.5, abs=0.05)
    assert jumped[~daily].mean() == pytest.approx(0.02, abs=0.002)
    assert 0.02 < np.abs(opened[daily]).max() <= 0.03
    assert np.abs(opened[~daily]).max() <= 0.01
    np.testing.assert_allclose(_log_returns(market)[jumped], opened[jumped], atol=1e-4)


def test_the_same_seed_gives_the_same_file(tmp_path):
    params = RegimeParams(n_bars=5_000)
    hashes = set()
    for name in ("first", "second"):
        write_tables(tmp_path / f"{name}.parquet", {"": regime_bars(params, 7).bars})
        hashes.add(hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).hexdigest())
    assert len(hashes) == 1
    assert bars_digest(regime_bars(params, 8).bars) != bars_digest(regime_bars(params, 7).bars)


@pytest.mark.parametrize(
    "settings",
    [
        {"first_regime": (0.5, 0.5, 0.5, 0.0, 0.0)},
        {"first_regime": (1.5, -0.5, 0.0, 0.0, 0.0)},
        {"transitions": ((1.0, 0, 0, 0, 0),) * 4 + ((0.9, 0, 0, 0, 0),)},
        {"shock_weight": 0.2, "memory": 0.8},
        {"process": "levy"},
        {"uptrend": {"drift": 0, "volatility": 1, "reversion": 0, "volume": 1, "shortest": 9, "longest": 9}},
        {"regime_distribution": {}},
    ],
)
def test_settings_that_are_no_market_are_refused(settings):
    with pytest.raises(ValidationError):
        RegimeParams(**settings)


def test_autocorrelation_of_a_series_that_turns_each_step():
    # 99 products of -1 over 100 squares of 1.
    assert autocorrelation(np.tile([1.0, -1.0], 50), 1) == pytest.approx(-0.99, rel=1e-12)
    assert np.isnan(autocorrelation(np.ones(10), 1))
