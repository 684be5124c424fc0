"""The ``seawall`` command: verbs, and how errors end it."""

from __future__ import annotations

import codecs
import io
import os
import sys

import typer

from seawall import __version__
from seawall.cli import (
    ablate,
    backtest,
    bundle,
    calibrate,
    compare,
    data,
    demo,
    doctor,
    embed,
    explain,
    hindsight,
    judge,
    leakcheck,
    nulls,
    paper,
    pretrain,
    recipes,
    report,
    selftest,
    shield,
    suite,
    train,
    walkforward,
)
from seawall.core.errors import SeawallError, is_disk_full

app = typer.Typer(
    name="seawall",
    help="Train deep-reinforcement-learning trading agents, judge them honestly, run them behind guards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for verb in (
    demo.demo,
    doctor.doctor,
    recipes.recipes,
    recipes.show,
    recipes.validate,
    pretrain.pretrain,
    embed.embed,
    train.train,
    train.resume,
    backtest.backtest,
    report.report,
    compare.compare,
    ablate.ablate,
    shield.shield,
    explain.explain,
    hindsight.hindsight,
    judge.judge,
    paper.paper,
    leakcheck.leakcheck,
    selftest.selftest,
    suite.suite,
    walkforward.walkforward,
    calibrate.calibrate,
    nulls.nulls,
):
    app.command()(verb)
app.add_typer(data.app, name="data")
app.add_typer(bundle.app, name="bundle")


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """Train deep-reinforcement-learning trading agents, judge them honestly, run them behind guards."""
    if show:
        print(__version__)
        raise typer.Exit


_INTERRUPTED = 130
_PLAIN = {"−": "-", "–": "-", "✓": "yes", "✗": "no", "×": "x", "…": "...", "•": "*"}


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Say what cannot be encoded in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error("seawall-plain", _plainly)


def main() -> None:
    """Run the command line and leave with its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A console or pipe that cannot show a sign must not end the work, nor lose a minus.
            stream.reconfigure(errors="seawall-plain")
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: The words after ``seawall``.

    Returns:
        The exit code.
    """
    try:
        app(arguments, prog_name="seawall")
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            return _fail("stopped by Ctrl-C", _INTERRUPTED)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except SeawallError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if is_disk_full(error):
            return _fail(f"no room left on the disk ({error.filename or 'a temporary file'}): free some space and run again", 2)
        return _fail(f"cannot use {error.filename or 'a file'}: {error.strerror or error}", 2)
    return 0


def _fail(message: str, code: int) -> int:
    print(f"seawall: {message}", file=sys.stderr)
    return code
