"""A switch that takes the account out of the market, thrown by a person, a script, or a setting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from seawall.core.protocols import GuardContext, GuardVerdict
from seawall.guards.risk import answer, state_of
from seawall.guards.rule import GuardParams, Rule


class KillSwitchParams(GuardParams):
    """Settings of the switch."""

    file: str = Field(default="KILL", min_length=1, description="File that throws it, from the folder the program was started in")
    when: Literal["present", "absent"] = Field(
        default="present",
        description="Whether it is thrown while the file is there, or while it is not, as where a watchdog keeps it alive",
    )
    latch: bool = Field(default=True, description="Whether it stays thrown for the episode once it was")
    engaged: bool = Field(default=False, description="Whether it is thrown from the start, in backtests too")


class KillSwitch(Rule[KillSwitchParams]):
    """Makes the account flat and keeps it so.

    The file is looked at in paper and live alone, before each decision: a file of today says nothing about bars of the past. Where
    the file cannot be looked at, as on a disk that is gone, the switch counts as thrown.
    """

    name = "kill_switch"
    reasons = ("the kill switch is thrown",)
    state_names = ("thrown",)
    start = (0.0,)

    def apply(self, _current: np.ndarray, proposed: np.ndarray, context: GuardContext, state: np.ndarray) -> GuardVerdict:
        """Look at the switch; see `core.protocols.Guard`."""
        now = self.params.engaged or (context.attended and self._file_says_so())
        before = (state[:, 0] != 0.0) & self.params.latch
        thrown = before | now
        return answer(proposed, np.where(thrown, 0.0, proposed), 1, state_of(thrown))

    def _file_says_so(self) -> bool:
        try:
            os.stat(Path(self.params.file))
        except FileNotFoundError:
            return self.params.when == "absent"
        except OSError:
            return True
        return self.params.when == "present"
