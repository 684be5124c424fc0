"""The examples of one page run from its top to its end."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "gymnasium-and-sb3.md"


def test_the_examples_run_and_what_they_make_is_as_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    known: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box observation space", category=UserWarning)
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
            exec(compile(block, PAGE.name, "exec"), known)
    torch.set_num_threads(threads)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "time",
        "price",
        "position",
        "equity",
        "drawdown",
        "decision",
    ]
    assert np.isfinite(known["mean"])
    assert (tmp_path / "model.zip").stat().st_size < known["market"].features.nbytes
    assert known["params"].window * known["market"].features.shape[1] * 4 == 912
