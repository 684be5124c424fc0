import re

import pytest


def test_recipes_lists_all_five_with_their_data_what_they_lack_and_commands_that_are_valid(seawall):
    entries = {entry["name"]: entry for entry in seawall("recipes", "--json").json["recipes"]}
    assert list(entries) == ["ichimoku-lstm", "long-short-zoo", "portfolio", "tradernet", "two-stage"]
    assert entries["ichimoku-lstm"]["data"] == "1m bars of BTC/USD; made here where none are given: 42,064 of 1m"
    assert entries["tradernet"]["missing"] == "live trading by ccxt"
    told = seawall("recipes").out
    for name, entry in entries.items():
        assert entry["summary"] in " ".join(told.split())
        assert entry["commands"][0] == f"seawall train {name}"
        for command in entry["commands"][1:3]:
            words = command.split()[3:]
            assert seawall("validate", name, *words).code == 0, command


def test_show_prints_every_setting_resolved(seawall):
    document = seawall("show", "tradernet", "costs.taker_bps=70", "--json").json
    recipe = document["recipe"]
    assert recipe["costs"]["taker_bps"] == 70
    assert recipe["environment"]["window"] == 12
    assert recipe["guards"]["n_consecutive"] == {
        "on_failure": "hold",
        "n": 2,
        "mode": "veto_repeat",
        "record": "suggested",
        "exits_exempt": False,
    }
    assert recipe["features"]["omit"] == ["trades", "trends"]
    assert recipe["network"] == {
        "kind": "conv",
        "filters": 32,
        "kernel": 3,
        "hidden": 256,
        "shared_encoder": recipe["network"]["shared_encoder"],
    }


def test_what_show_prints_is_a_recipe_with_the_same_hash(seawall, tmp_path):
    shown = seawall("show", "tradernet")
    (tmp_path / "again.yaml").write_text(shown.out)
    first = seawall("show", "tradernet", "--json").json["hash"]
    assert shown.out.startswith(f"# hash {first}\n")
    assert seawall("validate", tmp_path / "again.yaml", "--json").json == {"valid": True, "name": "tradernet", "hash": first}


def test_a_changed_setting_changes_the_hash(seawall):
    hashes = {
        seawall("show", "tradernet", *change, "--json").json["hash"] for change in ([], ["costs.taker_bps=11"], ["training.seed=1"])
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("costs.takr_bps=1", r"unknown key costs\.takr_bps \(value 1\); did you mean taker_bps\?"),
        ("cost.taker_bps=1", r"unknown key cost .*did you mean costs\?"),
        ("reward.preset=plain", r"unknown key reward \(value \{'preset': 'plain'\}\); reward stands at simulator\.reward"),
        ("costs.gamma=1", r"unknown key costs\.gamma \(value 1\); gamma stands at agent\.gamma"),
        ("agent.quantiles=8", r"unknown key quantiles \(value 8\)$"),
        ("costs.taker_bps=-1", r"costs\.taker_bps is -1: input should be greater than or equal to 0"),
        ("guards.n_consecutive.n=0", r"guards .*n is 0: input should be greater than or equal to 1"),
        ("guards.smurff.n=1", r"guard 'smurff' is unknown; allowed: n_consecutive"),
        ("agent=dqn3", r"agent 'dqn3' is unknown; allowed: ppo, dqn"),
        ("agent.gama=0.9", r"unknown key gama .*did you mean gamma\?"),
        ("network.kernel=4", r"kernel is 4"),
        ("environment.scheme=hold", r"environment\.scheme is 'hold': allowed: "),
        ("data.kind=moon", r"data"),
        ("device=tpu", r"device is 'tpu': input should be 'auto', 'cpu' or 'cuda'"),
        ("split.test=0.5", r"sum to 1"),
        ("training.n_seeds=many", r"training\.n_seeds is 'many'"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_value_and_what_is_allowed(seawall, override, message):
    result = seawall("validate", "tradernet", override)
    assert result.code == 2
    assert result.out == ""
    assert re.search(message, result.err), result.err


def test_an_unknown_recipe_is_refused(seawall):
    result = seawall("show", "tradenet")
    assert result.code == 2
    assert "did you mean tradernet?" in result.err


def test_removing_a_guard_by_null_leaves_none(seawall):
    assert seawall("show", "tradernet", "guards.n_consecutive=null", "--json").json["recipe"]["guards"] == {}


def test_the_version_is_printed(seawall):
    import seawall as package

    assert seawall("--version").out.strip() == package.__version__


@pytest.mark.parametrize("words", [["fly"], ["train"], ["data", "import"], ["show", "tradernet", "--fast"]])
def test_a_wrong_command_line_exits_with_2(seawall, words):
    assert seawall(*words).code == 2
