import numpy as np
import pytest
import torch
from planted_lessons import WINDOW, planted_market, small_params

from seawall.core.market import RowRange
from seawall.features.labels.regimes import REGIMES
from seawall.nets.pretraining import HeadsParams, LevelHeadParams, PretrainingBatch
from seawall.training.pretraining.baselines import NaiveForecasts, interpolated_candles
from seawall.training.pretraining.judging import baseline_measures, measure, report, skills
from seawall.training.pretraining.lessons import Lessons


def candles_alone(masks, values):
    masks, values = torch.tensor(masks, dtype=torch.bool), torch.tensor(values, dtype=torch.float32)[..., None]
    n, window = masks.shape
    return PretrainingBatch(
        torch.zeros(n, window, 1), masks, values, torch.zeros(n, dtype=torch.int64), torch.zeros(n, 2), torch.zeros(n, 1)
    )


def test_hidden_candles_are_interpolated_by_hand():
    batch = candles_alone(
        [[0, 1, 1, 0, 0, 1], [1, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 1]],
        [[3.0, 99, 99, 9.0, 1.0, 99], [99, 99, 4.0, 6.0, 99, 7.0], [99.0] * 6],
    )
    # Between 3 and 9 a third and two thirds of the way; after the last visible one its value; before the first likewise.
    wanted = [[3, 5, 7, 9, 1, 1], [4, 4, 4, 6, 6.5, 7], [0, 0, 0, 0, 0, 0]]
    torch.testing.assert_close(interpolated_candles(batch)["candles"][..., 0], torch.tensor(wanted, dtype=torch.float32))


@pytest.fixture(scope="module")
def lessons():
    return Lessons(planted_market(1_500), [RowRange(32, 1_500)], WINDOW, small_params())


def test_naive_forecasts_know_the_training_rows_alone(lessons):
    candles, regimes, heatmaps, returns = (part.numpy() for part in lessons.targets(lessons.train))
    batch = lessons.batch(lessons.validation[:3], np.zeros((3, WINDOW), bool))
    found = {name: value.numpy() for name, value in NaiveForecasts(lessons)(batch).items()}
    np.testing.assert_allclose(found["candles"][1, 5], candles.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.exp(found["regimes"][2]), np.bincount(regimes) / len(regimes), rtol=1e-5)
    clipped = heatmaps.mean(0).clip(1e-4, 1 - 1e-4)
    np.testing.assert_allclose(1 / (1 + np.exp(-found["levels"][0])), clipped, rtol=1e-4)
    np.testing.assert_allclose(found["quantiles"][0], np.quantile(returns, np.arange(1, 10) / 10, axis=0).T, rtol=1e-5, atol=1e-6)


def test_measures_of_the_naive_forecasts_by_hand(lessons):
    rows = lessons.judged()
    found = baseline_measures(lessons, rows, seed=1)
    _, train_regimes, train_maps, train_returns = (part.numpy() for part in lessons.targets(lessons.train))
    _, regimes, heatmaps, returns = (part.numpy().astype(np.float64) for part in lessons.targets(rows))
    most = np.bincount(train_regimes).argmax()
    assert found["regimes"]["accuracy"] == pytest.approx((regimes == most).mean(), abs=1e-9)
    recalls = [found["regimes"][f"recall_{name}"] for name in REGIMES]
    assert recalls == [1.0 if number == most else 0.0 for number in range(4)]
    shares = np.bincount(train_regimes) / len(train_regimes)
    assert found["regimes"]["cross_entropy"] == pytest.approx(-np.log(shares[regimes.astype(int)]).mean(), rel=1e-5)
    assert found["levels"]["square_error"] == pytest.approx(
        np.square(heatmaps - train_maps.mean(0)).mean(), rel=1e-2
    )  # clipped at 1e-4
    inner = heatmaps[(heatmaps > 0) & (heatmaps < 1)]
    floor = -(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)).sum() / heatmaps.size
    assert found["levels"]["floor"] == pytest.approx(floor, rel=1e-5)
    at = np.quantile(train_returns, np.arange(1, 10) / 10, axis=0).T
    errors = returns[..., None] - at
    levels = np.arange(1, 10) / 10
    assert found["quantiles"]["loss"] == pytest.approx(np.maximum(levels * errors, (levels - 1) * errors).mean(), rel=1e-5)
    assert found["quantiles"]["coverage_30"] == pytest.approx((returns <= at[..., 2]).mean(), abs=2e-3)  # float32 quantiles


def test_a_baseline_has_no_skill_and_perfect_knowledge_has_all(lessons):
    rows = lessons.judged()
    naive = baseline_measures(lessons, rows, 1)
    own = skills(naive, naive)
    assert (own["regimes"], own["levels"], own["quantiles"]) == (0.0, 0.0, 0.0)
    assert own["candles"] <= 0.0

    def know(batch):
        classes = torch.nn.functional.one_hot(batch.regimes, 4) * 60.0
        return {
            "candles": batch.candles,
            "regimes": classes,
            "levels": batch.heatmaps.logit(1e-7),
            "quantiles": batch.returns[..., None].expand(-1, -1, 9),
        }

    told = report(measure(know, lessons, rows, 1), naive)
    assert [told[head]["skill"] for head in ("candles", "regimes", "levels", "quantiles")] == pytest.approx([1.0] * 4, abs=1e-5)
    assert told["regimes"]["baseline"]["accuracy"] == naive["regimes"]["accuracy"]
    assert told["regimes"]["recall_volatile"] == 1.0
    assert told["quantiles"]["coverage_10"] == 1.0


def test_every_measure_hides_the_same_bars(lessons):
    seen = []

    def look(batch):
        seen.append(batch.masks.numpy().copy())
        return {}

    for seed in (1, 1, 2):
        measure(look, lessons, lessons.judged()[:100], seed)
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[0] != seen[2]).any()


def test_a_head_that_is_off_has_no_baseline():
    params = small_params(heads=HeadsParams(levels=LevelHeadParams(weight=0.0)))
    lessons = Lessons(planted_market(1_500), [RowRange(32, 1_500)], WINDOW, params)
    assert set(baseline_measures(lessons, lessons.judged(), 1)) == {"candles", "regimes", "quantiles"}
