"""What the verbs print is shown as it is, whatever it looks like."""

from seawall.cli.output import out, print_skill, table

MARKUP = "[red]x[/] [/b]"


def test_a_table_shows_its_title_names_and_cells_as_they_are():
    with out.capture() as captured:
        out.print(table(MARKUP, [MARKUP, "bars"], [[MARKUP, 1]]))
    assert [line.split("  ")[0].rstrip() for line in captured.get().splitlines()] == [MARKUP] * 3


def test_skill_and_luck_are_told_a_figure_a_line_and_nothing_is_told_of_older_judgements():
    undefined = {"value": None, "reason": "3 bars are too few"}
    skill = {
        "trials": 4,
        "probabilistic_sharpe": {"value": 0.971},
        "deflated_sharpe": {"value": 0.5},
        "least_track_record_bars": undefined,
        "pbo": {"value": 0.25, "configurations": 4, "splits": 12_870, "left_out": {"whose ledgers are gone": 1}},
        "seeds": {},
    }
    with out.capture() as captured:
        print_skill({})
        print_skill({"skill": skill, "test": {"bars": 3}})
    title, *lines = captured.get().strip().splitlines()
    told = " ".join(" ".join(lines).split())
    assert title.strip() == "skill or luck?"
    assert "Probabilistic Sharpe 0.971 chance that" in told
    assert "Least track record – undefined: 3 bars are too few" in told
    assert "Overfitting (PBO) 0.250 how often the best of 4 configurations" in told
    assert told.endswith("(12,870 ways to halve; about 0.5 is luck); not counted: 1 whose ledgers are gone")
