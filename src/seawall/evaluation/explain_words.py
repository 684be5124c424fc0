"""An explanation in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seawall.evaluation.explain import SHOWN_DIGITS
from seawall.evaluation.phrases import share, two_digits

METHOD_TITLES = {"ig": "integrated gradients", "occlusion": "occlusion"}
NOT_PROFIT = "An attribution says what the network looks at, not what is profitable"
_NAMED = 3
_MOST = 0.8
_ALIKE = 0.7


def findings(document: Mapping[str, Any]) -> list[str]:
    """Say in sentences what an explanation found, the most important first.

    Args:
        document: As `recipes.explain.explain` makes it, without sentences.
    """
    method, found = next(iter(document["methods"].items()))
    if found["nothing"]:
        return [
            "Nothing to explain: no input moves the target, at any of these bars and of any seed. The policy acts alike "
            "whatever it sees"
        ]
    words = [_inputs(found, METHOD_TITLES[method]), _lags(found)]
    if found["assets"]:
        words.append(_assets(found))
    words += [_seeds(found["agreement"], len(document["seeds"])), _untrained(document["untrained"])]
    if document["methods_agree"] is not None:
        rank = document["methods_agree"]
        alike = (
            "rank the inputs alike"
            if round(rank, SHOWN_DIGITS) >= _ALIKE
            else "rank the inputs differently: what one shows is not robust"
        )
        words.append(f"Integrated gradients and occlusion {alike} (Spearman's rank correlation {two_digits(rank)})")
    if document["completeness"] is not None:
        words.append(_completeness(document["completeness"]))
    return [sentence for sentence in words if sentence]


def cautions(document: Mapping[str, Any]) -> list[str]:
    """Say what a reader must know before believing an explanation; arguments as for `findings`."""
    told = [
        f"{NOT_PROFIT}: a network that loses money has a ranking too. Inputs that move together share what each of them could say"
    ]
    if not document["training_finished"]:
        told.append("Training was interrupted; these are the best weights so far")
    if document["bars"] < document["bars_asked"]:
        told.append(
            f"The account was closed by losses early: {document['bars']:,} of the {document['bars_asked']:,} bars asked for were "
            "reached"
        )
    if document.get("one_encoder"):
        told.append("All seeds look through one frozen encoder: how far they agree is in part its doing, not a finding of each")
    if document["remembers"]:
        told.append("The network remembers earlier bars; its memory is held as it was, so that only the newest window is explained")
    silent = sorted({seed for found in document["methods"].values() for seed in found["silent_seeds"]})
    if silent and not next(iter(document["methods"].values()))["nothing"]:
        told.append(f"No input moves seed {', '.join(map(str, silent))}: nothing to explain there, and left out")
    return told


def _inputs(found: Mapping[str, Any], method: str) -> str:
    rows = found["inputs"]
    named = [f"{row['name']} ({share(row['share'])})" for row in rows[:_NAMED]]
    so_far, needed = 0.0, 0
    while so_far < _MOST and needed < len(rows):
        so_far += rows[needed]["share"]
        needed += 1
    account = sum(row["share"] for row in rows if row["kind"] == "account")
    words = f"By {method}, it looks most at {_listed(named)}; {needed} of {len(rows)} inputs make up {100 * _MOST:.0f} %"
    return f"{words}. Its own account has {share(account)}" if any(row["kind"] == "account" for row in rows) else words


def _lags(found: Mapping[str, Any]) -> str:
    """Say how far back it looks; nothing for windows of one row, or of several clocks."""
    rows = found["lags"]
    if len(rows) < 2 or not all(row["name"].isdecimal() for row in rows):
        return ""
    newest = sorted(rows, key=lambda row: int(row["name"]))
    so_far, bars = 0.0, 0
    while so_far < 0.5 and bars < len(newest):
        so_far += newest[bars]["share"]
        bars += 1
    most = max(rows, key=lambda row: row["share"])
    where = "the newest bar" if bars == 1 else f"the newest {bars} bars"
    back = "the newest" if most["name"] == "0" else f"{most['name']} back"
    return (
        f"Of a window of {len(rows)} bars, half of what features do lies on {where}; the bar that counts most is {back} "
        f"({share(most['share'])})"
    )


def _assets(found: Mapping[str, Any]) -> str:
    rows = sorted(found["assets"], key=lambda row: -row["share"])
    named = [f"{row['name']} ({share(row['share'])})" for row in rows[:_NAMED]]
    return f"Of the assets, it looks most at {_listed(named)}"


def _seeds(agreement: Mapping[str, Any], n_seeds: int) -> str:
    if agreement["level"] == "unknown":
        return "One seed, or one that reacts, cannot be compared with others: its ranking may be chance" if n_seeds else ""
    told = {
        "agree": "The seeds agree on the ranking",
        "partly": "The seeds agree on the ranking in part: read the first few inputs, not their order",
        "disagree": "The seeds disagree on the ranking: each looks at something else, and it should not be read as a finding",
    }[agreement["level"]]
    return f"{told} (Kendall's tau {two_digits(agreement['tau'])}, {share(agreement['top'])} of the first five in common)"


def _untrained(found: Mapping[str, Any]) -> str:
    if found["level"] == "unknown":
        return ""
    rank = f"(Spearman's rank correlation {two_digits(found['spearman'])})"
    if found["level"] == "differs":
        return f"Networks with random weights rank the inputs otherwise {rank}: scale and wiring alone do not make the ranking"
    return (
        f"Networks with random weights rank the inputs much the same {rank}: the ranking tells how inputs are scaled and wired "
        "rather than what was learned"
    )


def _completeness(found: Mapping[str, Any]) -> str:
    gap = 100.0 * found["mean_gap"] / found["mean_change"] if found["mean_change"] > 0.0 else 0.0
    mean = "below 0.01 %" if gap < 0.01 else f"{gap:.2f} %"
    points = f"with up to {found['most_steps']:,} points a bar"
    change = f"The target moves by {found['mean_change']:.2g} from the baseline on average"
    if found["complete"]:
        return (
            f"{change}; the attributions add up to that change within {share(found['tolerance'])} of its mean size at every bar "
            f"(mean gap {mean}, {points})"
        )
    return (
        f"{change}; the attributions do not add up to that change everywhere: the largest gap is "
        f"{share(found['largest_gap_share'])} of its mean size {points}, and {share(found['tolerance'])} is allowed"
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
