import math

import numpy as np
import pytest
import torch
from planted_lessons import WINDOW, Curves, planted_market, pretrainer, small_params

from seawall.agents.bundle import weights_hash
from seawall.core.errors import DataError
from seawall.core.fan_out import Interrupted
from seawall.core.market import Market, RowRange
from seawall.training.pretraining.driver import pretrain
from seawall.training.pretraining.judging import baseline_measures, measure, skills
from seawall.training.pretraining.lessons import Lessons


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lessons_of(market, **changed):
    return Lessons(market, [RowRange(32, len(market))], WINDOW, small_params(**changed))


def run(learner, folder, *, stop_at=(), told=None, curves=None):
    """Pre-train, stopping after some counts of steps as Ctrl-C would."""
    curves = Curves() if curves is None else curves
    return pretrain(
        learner,
        folder=folder / "checkpoint",
        should_stop=lambda: learner.steps in stop_at,
        on_progress=(lambda message: None) if told is None else told.append,
        logger=curves,
        scalars=curves,
    )


@pytest.fixture(scope="module")
def small():
    return planted_market(1_200)


def test_all_heads_beat_what_anyone_could_say_on_a_planted_market(tmp_path):
    lessons = lessons_of(planted_market(2_500), epochs=4, epoch_windows=None, batch_size=64, learning_rate=4e-3)
    result = run(pretrainer(lessons), tmp_path)
    skill = {head: found["skill"] for head, found in result.heads.items()}
    # Returns follow each other with 0.7: the deviation of what is left after knowing the last one is √(1 − 0.49) = 0.71 of the
    # whole over one bar, less over three; swings of volatility add to it.
    assert skill["quantiles"] > 0.1
    assert skill["regimes"] > 0.3
    assert skill["levels"] > 0.1
    assert skill["candles"] > 0.02
    assert result.heads["regimes"]["accuracy"] > result.heads["regimes"]["baseline"]["accuracy"] + 0.2
    assert abs(result.heads["quantiles"]["coverage_50"] - 0.5) < 0.1  # 490 windows whose returns overlap: a deviation of about 0.04
    assert result.warnings == []
    assert result.history[result.best_epoch - 1] == min(result.history) == result.best_loss


def test_nothing_is_learned_where_features_say_nothing(small, tmp_path):
    noise = np.random.default_rng(8).standard_normal(small.features.shape).astype(np.float32)
    deaf = Market(
        small.symbols, small.starts, small.timeframe, small.timestamps, small.prices, noise, small.feature_names, small.ready
    )
    result = run(pretrainer(lessons_of(deaf, epochs=3)), tmp_path)
    assert result.heads["quantiles"]["skill"] < 0.02
    assert result.heads["regimes"]["skill"] < 0.05
    assert result.heads["candles"]["skill"] < 0.02


def test_an_interrupted_training_comes_to_the_same_weights(small, tmp_path):
    lessons = lessons_of(small, epochs=3)
    whole = run(pretrainer(lessons), tmp_path / "whole")
    assert whole.steps == 12
    # Within an epoch, at the end of one, and just after its start.
    for stop in (2, 4, 9):
        with pytest.raises(Interrupted, match=f"pre-training stopped after {stop} of 12 steps; the checkpoint is"):
            run(pretrainer(lessons, seed=1), tmp_path / "parts", stop_at=(stop,))
    resumed = pretrainer(lessons, seed=1)
    curves = Curves()
    parts = run(resumed, tmp_path / "parts", curves=curves)
    assert weights_hash(parts.weights) == weights_hash(whole.weights)
    assert parts.history == whole.history
    assert parts.best_epoch == whole.best_epoch
    # The running means of the broken epoch are whole too.
    uninterrupted = Curves()
    run(pretrainer(lessons), tmp_path / "again", curves=uninterrupted)
    assert curves.scalars[-1] == uninterrupted.scalars[-1]
    assert [each for each in uninterrupted.scalars if each[2] == 12] == [each for each in curves.scalars if each[2] == 12]


def ever_worse(lessons):
    """A pre-training whose first epoch is its best."""
    learner = pretrainer(lessons)
    judge = learner.judge
    learner.judge = lambda: (float(learner.steps), judge()[1])
    return learner


def test_an_interrupted_training_keeps_the_best_weights_of_before(small, tmp_path):
    lessons = lessons_of(small, epochs=3)
    whole = run(ever_worse(lessons), tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(ever_worse(lessons), tmp_path / "parts", stop_at=(6,))
    parts = run(ever_worse(lessons), tmp_path / "parts")
    assert weights_hash(parts.weights) == weights_hash(whole.weights)
    assert (parts.best_epoch, parts.best_loss, whole.best_epoch) == (1, 4.0, 1)


def test_another_seed_comes_to_other_weights(small, tmp_path):
    first = run(pretrainer(lessons_of(small)), tmp_path / "first")
    other = run(pretrainer(lessons_of(small), seed=2), tmp_path / "other")
    assert weights_hash(first.weights) != weights_hash(other.weights)


def test_a_training_stops_when_validation_gets_no_better(small, tmp_path):
    # At a step size of 0 no epoch is better than the first.
    lessons = lessons_of(small, epochs=50, patience=2, learning_rate=1e-30, final_learning_rate=0.0)
    result = run(pretrainer(lessons), tmp_path)
    assert (len(result.history), result.best_epoch, result.steps) == (3, 1, 12)
    assert result.history[0] == pytest.approx(result.history[2], rel=1e-6)
    assert (
        "the regimes head is no better than the frequencies of the regimes: the encoder learned nothing from it" in result.warnings
    )


def test_heads_begin_at_what_anyone_could_say(small):
    lessons = lessons_of(small)
    _, found = pretrainer(lessons).judge()
    own = skills(found, baseline_measures(lessons, lessons.judged(), 1))
    # Their last layers' weights are a hundredth of a hidden layer's, so the first forecasts are near their biases.
    assert [own["regimes"], own["levels"], own["quantiles"]] == pytest.approx([0.0] * 3, abs=0.01)
    untold = pretrainer(lessons).network
    untold.heads["levels"][-1].bias.data.zero_()
    zero = measure(untold.eval(), lessons, lessons.judged(), 1)
    assert skills(zero, baseline_measures(lessons, lessons.judged(), 1))["levels"] < -0.2


def test_a_head_that_learned_nothing_is_named(small, tmp_path):
    learner = pretrainer(lessons_of(small, learning_rate=1e-30, final_learning_rate=0.0))
    with torch.no_grad():
        learner.network.heads["regimes"][-1].bias.copy_(torch.tensor([0.0, 0.0, 0.0, 9.0]))
    result = run(learner, tmp_path)
    assert (
        "the regimes head is no better than the frequencies of the regimes: the encoder learned nothing from it" in result.warnings
    )


def test_the_rate_falls_along_half_a_cosine(small):
    learner = pretrainer(lessons_of(small, epochs=4, learning_rate=1e-3, final_learning_rate=1e-4))
    assert (learner.steps_per_epoch, learner.total_steps) == (4, 16)
    rates = []
    for step in (0, 4, 8, 16):
        learner.steps = step
        rates.append(learner.learning_rate)
    quarter = 1e-4 + 0.5 * 9e-4 * (1 + math.cos(math.pi / 4))
    assert rates == pytest.approx([1e-3, quarter, 5.5e-4, 1e-4], rel=1e-9)


def test_an_epoch_draws_each_window_at_most_once(small):
    lessons = lessons_of(small, epochs=2, epoch_windows=None)
    learner = pretrainer(lessons)
    drawn = []
    for _ in range(2 * learner.steps_per_epoch):
        drawn.append(learner._rows())
        learner.steps += 1
    first, second = np.split(np.concatenate(drawn), 2)
    assert len(set(first)) == len(first) == learner.steps_per_epoch * 32 > len(lessons.train) - 32
    assert set(first) <= set(lessons.train)
    assert (first != second).any()


def test_progress_says_how_far_how_well_and_beside_what(small, tmp_path):
    told, curves = [], Curves()
    run(pretrainer(lessons_of(small)), tmp_path, told=told, curves=curves)
    assert (told[-1]["steps"], told[-1]["total_steps"]) == (8, 8)
    assert set(told[-1]["skills"]) == {"candles", "regimes", "levels", "quantiles"}
    assert told[-1]["best"] == min(told[-1]["history"])
    tags = {tag for tag, _, _ in curves.scalars}
    assert {"train/total", "train/levels", "validation/total", "validation/regimes_skill", "validation/candles_loss"} <= tags
    assert [fields["epoch"] for event, fields in curves.events if event == "evaluated"] == [1, 2]


def test_the_loss_of_an_epoch_is_the_mean_of_its_steps(small, tmp_path):
    lessons, curves = lessons_of(small), Curves()
    learner = pretrainer(lessons)
    totals = []
    step = learner.step

    def spied():
        losses = step()
        totals.append(losses["total"])
        return losses

    learner.step = spied
    run(learner, tmp_path, curves=curves)
    logged = [value for tag, value, _ in curves.scalars if tag == "train/total"]
    assert logged == pytest.approx([np.mean(totals[:4]), np.mean(totals[4:])], rel=1e-9)


def test_a_training_that_diverges_says_so(small, tmp_path):
    learner = pretrainer(lessons_of(small))
    with torch.no_grad():
        next(learner.network.encoder.parameters()).fill_(float("nan"))
    with pytest.raises(DataError, match=r"the loss is nan after 1 gradient steps .*lower learning_rate"):
        run(learner, tmp_path)
