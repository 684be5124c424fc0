"""Networks of the zoo are explained by the scores that they decide by."""

import numpy as np
import pytest
import torch

pytest.importorskip("captum", reason="the extra explain is not installed")
pytest.importorskip("sb3_contrib", reason="the extra zoo is not installed")

from zoo_toys import COLUMNS, NETWORK, SMALL, WINDOW, N, seen, settings, shape_of

from seawall.agents.explaining import methods
from seawall.agents.explaining.methods import Inputs, integrated_gradients
from seawall.agents.explaining.scores import scores_of
from seawall.agents.explaining.targets import target_named
from seawall.agents.zoo.network import build_zoo_network
from seawall.agents.zoo.policy import ZooPolicy

KINDS = {"SAC": "number", "DQN": "values", "QRDQN": "values"}


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("algorithm", SMALL)
def test_the_scores_of_a_network_of_the_zoo_add_up_and_are_what_it_decides_by(algorithm):
    network = build_zoo_network(settings(algorithm), "conv", NETWORK, shape_of(algorithm), 0)
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():  # weights so large that the target depends on what is seen
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=source))
    policy, observation = ZooPolicy(network, WINDOW), seen(np.arange(WINDOW, WINDOW + N), 1.0)
    policy.begin(N)
    policy.scores(observation)
    memory = torch.as_tensor(policy.memory)
    expected = policy.scores(observation)
    scores = scores_of(policy)
    inputs = Inputs(
        windows=policy._windows(observation),
        account=torch.as_tensor(observation.account),
        memory=memory,
        levels=torch.tensor([[-1.0, 0.0, 1.0]] * N),
        chosen=torch.zeros(N, dtype=torch.int64),
        usual_windows=torch.zeros(WINDOW, COLUMNS),
        usual_account=torch.zeros(1),
    )
    found = scores.forward(inputs.windows, inputs.account, memory).detach()
    assert scores.kind == KINDS.get(algorithm, "preferences")
    decided = torch.softmax(found, 1) if scores.kind == "preferences" else found
    np.testing.assert_allclose(decided.numpy(), expected, atol=1e-6)
    shared = integrated_gradients(scores, target_named("exposure", scores.kind, ()), inputs, lambda _bars: None)
    assert shared.complete
    assert np.abs(shared.change).mean() > 1e-4
    assert np.abs(shared.gap).max() <= methods.TOLERANCE * np.abs(shared.change).mean()
