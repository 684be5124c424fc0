import pytest

from seawall.core.errors import ConfigError
from seawall.recipes.files import dump_yaml, load_mapping, parse_yaml, shipped_recipes


def test_yaml_is_version_1_2():
    assert parse_yaml("rate: 1e-3\nswitch: on\nday: 12:30", "x") == {"rate": 1e-3, "switch": "on", "day": "12:30"}


def test_what_is_changed_in_one_reading_is_not_in_the_next():
    parse_yaml("a: {b: [1]}", "x")["a"]["b"].append(2)
    assert parse_yaml("a: {b: [1]}", "x") == {"a": {"b": [1]}}


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(ConfigError, match=r"x is not readable YAML.*duplicate key"):
        parse_yaml("window: 12\nwindow: 24", "x")


def test_dumped_yaml_reads_back_the_same():
    mapping = {"name": "mine", "costs": {"taker_bps": 10.5}, "features": {"omit": ["trades"]}, "rate": 1e-05, "none": None}
    assert parse_yaml(dump_yaml(mapping), "x") == mapping


def test_shipped_recipes_include_tradernet():
    assert "tradernet" in shipped_recipes()


def test_an_own_file_may_extend_a_shipped_recipe_and_a_neighbour(tmp_path):
    (tmp_path / "base.yaml").write_text("extends: tradernet\nname: base\ncosts: {taker_bps: 5}\n")
    (tmp_path / "mine.json").write_text('{"extends": "base.yaml", "name": "mine", "costs": {"spread_bps": 4}}')
    mapping = load_mapping(str(tmp_path / "mine.json"))
    assert mapping["name"] == "mine"
    assert mapping["costs"] == {"taker_bps": 5, "spread_bps": 4}
    assert mapping["environment"]["window"] == 12


def test_another_kind_replaces_a_section_instead_of_mixing_with_it(tmp_path):
    (tmp_path / "mine.yaml").write_text("extends: tradernet\ndata: {kind: planted_edge, edge: 0}\n")
    assert load_mapping(str(tmp_path / "mine.yaml"))["data"] == {"kind": "planted_edge", "edge": 0}


def test_a_recipe_that_extends_itself_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError, match=r"extends itself: a.yaml -> b.yaml -> a.yaml"):
        load_mapping(str(tmp_path / "a.yaml"))


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("costs.taker_bps=7.5", ("costs", "taker_bps"), 7.5),
        ("agent.learning_rate=3e-4", ("agent", "learning_rate"), 3e-4),
        ("features.omit=[]", ("features", "omit"), []),
        ("guards.n_consecutive=null", ("guards", "n_consecutive"), None),
        ("guards.n_consecutive.mode=confirm", ("guards", "n_consecutive", "mode"), "confirm"),
        ("data=some dir/btc=1.parquet", ("data",), {"kind": "file", "path": "some dir/btc=1.parquet"}),
        ("data=123", ("data",), {"kind": "file", "path": "123"}),
        ("agent=ppo", ("agent",), {"kind": "ppo"}),
    ],
)
def test_overrides_reach_their_place(override, path, value):
    found = load_mapping("tradernet", [override])
    for key in path:
        found = found[key]
    assert found == value


def test_an_override_leaves_its_neighbours_alone():
    changed = load_mapping("tradernet", ["guards.n_consecutive.mode=confirm"])
    assert changed["guards"]["n_consecutive"]["n"] == load_mapping("tradernet")["guards"]["n_consecutive"]["n"]


@pytest.mark.parametrize("override", ["costs.taker_bps", "=3", "costs..taker_bps=3", ".=1"])
def test_an_override_without_key_or_value_is_refused(override):
    with pytest.raises(ConfigError, match=r"allowed: section\.key=value"):
        load_mapping("tradernet", [override])


def test_an_override_below_a_plain_value_is_refused():
    with pytest.raises(ConfigError, match="name is 'tradernet', which has no keys"):
        load_mapping("tradernet", ["name.first=x"])


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean tradernet"):
        load_mapping("tradernett")


def test_a_missing_file_shows_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"looked for {tmp_path}/mine\.yaml, from {tmp_path}"):
        load_mapping("mine.yaml")


@pytest.mark.parametrize(
    ("name", "text"), [("a.yaml", "- 1\n- 2\n"), ("a.yaml", ""), ("a.json", "[1]"), ("a.json", "{"), ("a.yaml", "a: [1")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"a\.(yaml|json)"):
        load_mapping(str(tmp_path / name))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_mapping(str(tmp_path / "a.yaml"))
