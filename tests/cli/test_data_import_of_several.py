"""Import and check of many files: each that is refused is named with its reason, and keeps no other out."""

import numpy as np
import pytest

from fakes.sources import hourly
from seawall.core.progress import progress_bars
from seawall.market.formats.tables import write_tables

MARKUP = "[red]x[/] [/b]"


@pytest.fixture
def store(tmp_path):
    return ("--data-dir", tmp_path / "data")


@pytest.fixture
def folder(tmp_path):
    """Two sound files, and one of each kind that is refused."""
    pytest.importorskip("tables", reason="writing HDF5 needs the hdf5 extra")
    path = tmp_path / "files"
    for name in ("a", "b"):
        (path / name).mkdir(parents=True)
        hourly(40).to_parquet(path / name / "made_TWICE_1h.parquet")
        hourly(40).to_parquet(path / f"made_GOOD{name.upper()}_1h.parquet")
    hourly(40).assign(close=-1.0).to_csv(path / "made_BAD_1h.csv", index=False)
    (path / "made_NAMES_1h.csv").write_text("a,b\n1,2\n")
    (path / "made_DAMAGED_1h.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return path


REASONS = {
    "made_BAD_1h.csv": "not_positive",
    "made_DAMAGED_1h.h5": "cannot be read as HDF5",
    "made_NAMES_1h.csv": "has no time, open",
    "a/made_TWICE_1h.parquet": "both come to the series made/TWICE/1h",
    "b/made_TWICE_1h.parquet": "both come to the series made/TWICE/1h",
}


def test_each_file_that_is_refused_is_named_with_its_reason_and_the_others_are_stored(seawall, folder, store):
    result = seawall("data", "import", folder, "--json", *store)
    assert result.code == 2
    assert [series["reference"] for series in result.json["series"]] == ["made/GOODA/1h", "made/GOODB/1h"]
    assert len(result.json["refused"]) == len(REASONS)
    for origin, reason in REASONS.items():
        (told,) = [told for told in result.json["refused"] if told["origin"].endswith(origin)]
        assert reason in told["error"]
        (line,) = [line for line in result.err.splitlines() if line.startswith("refused") and f"{origin}:" in line]
        assert reason in line
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("seawall: 5 of 7 series were refused")
    assert all(origin in last for origin in REASONS)


def test_how_files_were_read_is_said_once_with_the_number_of_series(seawall, tmp_path, store):
    (tmp_path / "files").mkdir()
    bars = hourly(400)
    for name in ("A", "B"):
        bars.assign(timestamp=bars["timestamp"].dt.strftime("%d/%m/%Y %H:%M")).to_csv(
            tmp_path / "files" / f"{name}.csv", index=False
        )
    hourly(40).to_csv(tmp_path / "files" / "C.csv", index=False)
    result = seawall("data", "import", tmp_path / "files", *store)
    assert result.code == 0
    notes = [line for line in result.out.splitlines() if "note:" in line]
    assert len(notes) == 2
    assert "day, month, year" in notes[0]
    assert all(note.endswith("(2 series)") for note in notes)


def test_a_check_names_the_damaged_file_and_those_of_one_name_apart(seawall, folder, store):
    result = seawall("data", "check", folder, "--json", "--no-html", *store)
    assert result.code == 2
    names = [series["name"] for series in result.json["series"]]
    assert len(set(names)) == 7
    unread = [series["name"] for series in result.json["series"] if "error" in series]
    assert unread == ["made_DAMAGED_1h.h5", "made_NAMES_1h.csv"]
    assert [name.removeprefix(f"{folder}/") for name in names if "TWICE" in name] == list(REASONS)[-2:]


def test_a_table_without_prices_beside_bars_is_passed_over(seawall, tmp_path, store):
    pytest.importorskip("tables", reason="writing HDF5 needs the hdf5 extra")
    tables = {"/1h": hourly(40), "/1h_labels": hourly(40)[["timestamp"]], "/scores": hourly(40)[["timestamp"]].assign(score=1.0)}
    write_tables(tmp_path / "made.h5", tables)
    result = seawall("data", "import", tmp_path / "made.h5", "--json", *store)
    assert result.code == 0
    assert [series["reference"] for series in result.json["series"]] == ["files/made/1h"]
    assert result.json["skipped"] == ["made.h5 /1h_labels (labels)", "made.h5 /scores (no bars)"]


def test_names_and_cells_that_look_like_markup_are_shown_as_they_are(seawall, tmp_path, store):
    folder = tmp_path / "files"
    folder.mkdir()
    sound, spoilt = (folder / f"{name} {MARKUP.replace('/', '_')}.csv" for name in ("sound", "spoilt"))
    hourly(40).assign(**{MARKUP: 1.0}).to_csv(sound, index=False)
    hourly(40).assign(close=np.where(np.arange(40) == 3, MARKUP, "1")).to_csv(spoilt, index=False)
    (folder / f"{MARKUP.replace('/', '_')}.md").write_text("x")
    checked = seawall("data", "check", folder, "--no-html", *store)
    assert checked.code == 2
    assert sound.name in checked.out
    assert MARKUP in checked.err
    alone = seawall("data", "check", sound, "--no-html", *store)
    assert f"columns not known here are ignored: {MARKUP.replace(' ', '_')}" in alone.out
    imported = seawall("data", "import", folder, *store)
    assert f"{MARKUP.replace('/', '_')}.md" in imported.out
    assert MARKUP in imported.err


def test_a_progress_bar_shows_a_file_s_name_as_it_is():
    with progress_bars() as bars:
        bars.add_task(MARKUP, total=1, note=MARKUP)
        shown = [column(bars.tasks[0]) for column in bars.columns]  # type: ignore[operator]
    assert [str(shown[0]), str(shown[-1])] == [MARKUP, MARKUP]
