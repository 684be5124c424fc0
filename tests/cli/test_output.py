"""What the verbs print is shown as it is, whatever it looks like."""

from seawall.cli.output import out, table

MARKUP = "[red]x[/] [/b]"


def test_a_table_shows_its_title_names_and_cells_as_they_are():
    with out.capture() as captured:
        out.print(table(MARKUP, [MARKUP, "bars"], [[MARKUP, 1]]))
    assert [line.split("  ")[0].rstrip() for line in captured.get().splitlines()] == [MARKUP] * 3
