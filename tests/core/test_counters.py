"""Random numbers by counter: uniform, independent of their neighbours and of the batch."""

from __future__ import annotations

import numpy as np

from seawall.core.counters import uniform


def test_uniform_numbers_are_uniform_and_independent_of_their_neighbours():
    grid = np.arange(200)
    draws = uniform(5, np.repeat(grid, 200), np.tile(grid, 200)).reshape(200, 200)
    assert 0.0 <= draws.min() < 1e-3
    assert 0.999 < draws.max() < 1.0
    assert abs(draws.mean() - 0.5) < 5 * np.sqrt(1 / 12 / draws.size)
    for other in (draws[1:] - draws[:-1], draws[:, 1:] - draws[:, :-1]):
        assert abs((other**2).mean() - 1 / 6) < 0.005  # variance of the difference of two independent uniforms
    assert uniform(6, grid, grid).tolist() != uniform(5, grid, grid).tolist()


def test_a_draw_depends_on_its_own_counter_only():
    assert uniform(5, np.array([3, 9]), np.array([4, 1]))[0] == uniform(5, np.array([3]), np.array([4]))[0]
