"""Ctrl-C is raised where it comes, and once more where something swallowed it."""

import os
import signal
from contextlib import suppress

import pytest

from seawall.core.interrupts import remembered_interrupts


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals are needed to press Ctrl-C from a test")
def test_an_interrupt_that_a_library_swallowed_is_raised_at_the_next_safe_point():
    before = signal.getsignal(signal.SIGINT)
    with remembered_interrupts() as heed:
        heed()
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
            pytest.fail("Ctrl-C was not raised where it came")
        with pytest.raises(KeyboardInterrupt):
            heed()
    assert signal.getsignal(signal.SIGINT) is before
