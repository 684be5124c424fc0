"""``seawall report``: the page to look at."""

from __future__ import annotations

from seawall.cli import options
from seawall.cli.backtest import judge_portfolio_with_bar, judge_with_bars
from seawall.cli.output import out, print_json


def report(
    run: options.RunReference,
    overrides: options.Overrides = None,
    runs: options.Runs = options.RUNS,
    data_dir: options.DataFolder = options.DATA,
    trust: options.Trust = False,
    json: options.Json = False,
) -> None:
    """Write the interactive report of a run as one self-contained page; judge the run first where that is not done.

    Examples:
        seawall report latest

        seawall report latest --json
    """
    from seawall.core.run_folder import RunFolder
    from seawall.recipes.experiment import trust_run
    from seawall.recipes.families import is_portfolio_run
    from seawall.recipes.judging import Case, document, report_case

    folder = RunFolder.find(runs, run)
    if trust:
        trust_run(folder)
    if is_portfolio_run(folder):
        judged = judge_portfolio_with_bar(folder, overrides or [], data_dir)
        if json:
            print_json(judged)
        else:
            out.print(f"Report: {judged['report']}")
        return
    case = Case(folder, tuple(overrides or ()), data_dir)
    if case.folder().metrics.is_file():
        path = report_case(case)
    else:
        judge_with_bars([case])
        path = case.folder().report
    if json:
        print_json(document(case))
    else:
        out.print(f"Report: {path}")
