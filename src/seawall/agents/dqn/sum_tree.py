"""A tree of sums over priorities: it draws in proportion and takes changes in logarithmic time.

The tree is one array of 2n float64: node 1 is the root, node k has the children 2k and 2k + 1, leaf i is node n + i. Every inner
node is the sum of its two children, computed anew whenever one changes, so that the whole tree is a function of its leaves alone:
nothing drifts, and leaves that were saved give back the same tree, bit for bit.
"""

from __future__ import annotations

import numba
import numpy as np


def sum_tree(leaves: np.ndarray) -> np.ndarray:
    """Return the tree over priorities.

    Args:
        leaves: At least 0 each, float64, shape (n,), n at least 2.

    Returns:
        float64, shape (2n,); its node 1 is the sum of all.
    """
    tree = np.concatenate((np.zeros(len(leaves)), leaves))
    _add_up(tree)
    return tree


@numba.njit(cache=True)
def _add_up(tree):  # pragma: no cover
    for node in range(len(tree) // 2 - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]


@numba.njit(cache=True)
def set_leaf(tree, leaf, priority):  # pragma: no cover
    """Change one priority, in compiled code."""
    node = len(tree) // 2 + leaf
    tree[node] = priority
    node //= 2
    while node >= 1:
        tree[node] = tree[2 * node] + tree[2 * node + 1]
        node //= 2


@numba.njit(cache=True)
def set_leaves(tree: np.ndarray, leaves: np.ndarray, priorities: np.ndarray) -> None:  # pragma: no cover
    """Change priorities in place; where a leaf is named twice, the last one stays.

    Args:
        tree: From `sum_tree`.
        leaves: Which, int64, shape (B,).
        priorities: At least 0 each, float64, shape (B,).
    """
    for i in range(len(leaves)):
        set_leaf(tree, leaves[i], priorities[i])


@numba.njit(cache=True)
def draw_leaves(tree: np.ndarray, uniform: np.ndarray) -> np.ndarray:  # pragma: no cover
    """Draw leaves in proportion to their priorities, one from each of B equal parts of their sum.

    Source: Schaul et al. 2016, arXiv 1511.05952, appendix B.2.1.

    Args:
        tree: From `sum_tree`; at least one priority is above 0.
        uniform: Where in its part each draw falls, in [0, 1), float64, shape (B,).

    Returns:
        Leaves, int64, shape (B,). One whose priority is 0 is never drawn, whatever rounding does.
    """
    n, count = len(tree) // 2, len(uniform)
    drawn = np.empty(count, dtype=np.int64)
    for i in range(count):
        left_over = (i + uniform[i]) / count * tree[1]
        node = 1
        while node < n:
            node *= 2
            if left_over >= tree[node] and tree[node + 1] > 0.0:
                left_over -= tree[node]
                node += 1
        drawn[i] = node - n
    return drawn
