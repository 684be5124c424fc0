"""The engines are run again: what they write is judged as they print it, and is what the committed files hold."""

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from evaluation.judged_files import BARS, FOLDER, judged
from peers.asking import PYTHON, ROOT, needs_peers

pytestmark = needs_peers


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    shutil.copy(BARS, folder)
    script = ROOT / "tests" / "peers" / "run_judged.py"
    done = subprocess.run([PYTHON, "-W", "ignore", script, folder], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return folder


@pytest.mark.parametrize("strategy", ["cross", "breakout", "reversion"])
@pytest.mark.parametrize("engine", ["vectorbt", "backtesting"])
def test_an_engines_ledger_is_judged_as_the_engine_judges_it(answers, engine, strategy):
    theirs = json.loads((answers / "metrics.json").read_text())[f"{engine}-{strategy}"]
    result = judged(answers / f"{engine}-{strategy}-trades.csv")
    ours = result.document["ledger"]
    assert ours["total_return"] == pytest.approx(theirs["total_return"], rel=1e-10)
    assert ours["max_drawdown"] == pytest.approx(theirs["max_drawdown"], rel=1e-10)
    assert (ours["trades"], ours["hit_rate"]) == (theirs["trades"], pytest.approx(theirs["win_rate"], rel=1e-12))
    curve = pd.read_csv(answers / f"{engine}-{strategy}-equity.csv").iloc[:, 1].to_numpy()
    np.testing.assert_allclose(result.ledgers.ensemble.equity_curve()[1:], curve, rtol=1e-12)


def test_the_committed_files_are_what_the_engines_write(answers):
    for path in sorted(FOLDER.glob("*.csv")):
        pd.testing.assert_frame_equal(pd.read_csv(answers / path.name), pd.read_csv(path), rtol=1e-12)
