"""What a training is warned of, and the setting that each warning names."""

import pytest

from seawall.training.rl import training_warnings


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"action_share_0": 0.999, "action_share_1": 0.001}, "99.9% of its actions are number 0; raise entropy_coefficient"),
        ({"action_share_2": 1.0, "epsilon": 0.05}, "are number 2; raise epsilon_end or lower weight_decay"),
        ({"action_mean": 0.4, "action_deviation": 0.004}, "its numbers stay within 0.004 of 0.4; raise entropy_coefficient"),
        ({"value_loss": 4_000.0}, "value_loss is 4e+03; set normalise_reward, lower learning_rate"),
        ({"loss": 1.2e6, "epsilon": 0.5}, "loss is 1.2e+06"),
    ],
)
def test_what_looks_wrong_is_told_with_the_setting_to_change(metrics, said):
    [warning] = training_warnings([(1, 0.1), (2, 0.2), (3, 0.3)], metrics)
    assert said in warning


def test_a_sound_training_is_told_nothing():
    sound = {"action_share_0": 0.98, "action_share_1": 0.02, "action_deviation": 0.3, "value_loss": 999.0, "loss": 0.1}
    assert training_warnings([(1, 0.1), (2, 0.2), (3, 0.3)], sound) == []
