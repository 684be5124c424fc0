"""The bars of a run, in one file that all processes map, and the null markets that are made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seawall.core.bars import BAR_COLUMNS, bars_digest, from_milliseconds, price_block, timestamps_ms
from seawall.core.errors import ConfigError, DataError
from seawall.core.files import read_json, replacing_file
from seawall.core.run_folder import RunFolder
from seawall.core.seeding import derived_seed, generator
from seawall.market.panel import Panel
from seawall.market.splits import Split
from seawall.market.synthetic.surrogates import BarBlock, Drift, coin_signs, mirrored, shuffled, shuffled_order
from seawall.recipes.dataset import Checked, checked, featured_bars
from seawall.recipes.families import AnyRecipe
from seawall.recipes.nulls.plan import WALK
from seawall.recipes.portfolio_dataset import checked_panel
from seawall.recipes.portfolio_dataset import featured_bars as featured_assets
from seawall.recipes.portfolio_schema import PortfolioRecipe
from seawall.recipes.walkforward.ground import Ground

_STALE = "stale"


@dataclass(frozen=True)
class NullKind:
    """How one null market is made.

    Attributes:
        kind: ``walk`` or ``shuffle``.
        seed: Of all null markets.
        number: Which of them, from 0.
        block: Bars that stay together where they are shuffled.
        drift: What becomes of their drift there.
    """

    kind: str
    seed: int
    number: int
    block: int = 1
    drift: Drift = "keep"

    def of(self, bars: BarBlock) -> BarBlock:
        """Return the null market."""
        draw = generator(derived_seed(self.seed, f"null markets: {self.kind}"), f"market {self.number}")
        if self.kind == WALK:
            return mirrored(bars, coin_signs(len(bars), draw))
        return shuffled(bars, shuffled_order(len(bars), self.block, draw), self.drift)

    @property
    def words(self) -> str:
        """What stands where a dataset says what its bars are."""
        return f"null market {self.number} ({self.kind}, seed {self.seed})"


@dataclass(frozen=True)
class Origin:
    """Checked bars of a run, as its features were computed from.

    Attributes:
        folder: Where their numbers are kept, to be mapped.
        bars: What else is known of them: checked bars, or a panel, without rows.
        names: Columns beside prices and volume.
        facts: Of a panel, where its bars came from and what was done to them.
        split: What the run's rows are used for.
        data_hash: Hash of the bars.
    """

    folder: Path
    bars: Checked | Panel
    names: tuple[str, ...]
    facts: dict[str, Any]
    split: Split
    data_hash: str

    @classmethod
    def keep(cls, run: RunFolder, recipe: AnyRecipe, data_root: Path, folder: Path) -> Origin:
        """Load and check the bars of a run again, and keep their numbers.

        Args:
            run: The run.
            recipe: Its recipe.
            data_root: Folder of imported bars.
            folder: Where they are kept.

        Raises:
            DataError: The bars are gone, or are not those any more that the run was made of.
        """
        saved = read_json(run.dataset, "facts", "split")
        whole: Checked | Panel
        if isinstance(recipe, PortfolioRecipe):
            whole, facts = checked_panel(recipe, data_root)
            found = whole.content_hash()
            times, block = whole.timestamps, BarBlock(whole.prices, {**whole.optional, _STALE: whole.stale})
            empty: Checked | Panel = replace(
                whole, timestamps=times[:0], prices=whole.prices[:, :0], stale=whole.stale[:, :0], optional={}
            )
        else:
            whole, facts = checked(recipe, data_root), {}
            found, times = bars_digest(whole.bars, recipe.features.columns), timestamps_ms(whole.bars)
            block = _block_of(whole.bars)
            empty = replace(whole, bars=whole.bars.iloc[:0])
        if found != saved["facts"]["data_hash"]:
            raise DataError(
                f"the bars that {run.path} names are not those that it was trained on: their hash is {found[:12]}, that of the run "
                f"{saved['facts']['data_hash'][:12]}; needed: the same bars"
            )
        names = tuple(block.columns)
        further = (
            np.stack([block.columns[name] for name in names], axis=2).astype(np.float64)
            if names
            else np.zeros((*block.prices.shape[:2], 0))
        )
        for name, values in (("times", times), ("prices", block.prices), ("columns", further)):
            with replacing_file(folder / f"{name}.npy") as temporary:
                np.save(temporary, values)
        return cls(folder, empty, names, facts, Split.from_dict(saved["split"]), found)

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self._mapped("times"))

    def block(self) -> BarBlock:
        """Return the bars, mapped."""
        further = self._mapped("columns")
        return BarBlock(self._mapped("prices"), {name: further[..., place] for place, name in enumerate(self.names)})

    def ground(self, recipe: AnyRecipe, kind: NullKind, scratch: Path) -> Ground:
        """Return a null market with its features, at the times and with the split of the run.

        Args:
            recipe: The run's.
            kind: Which null market.
            scratch: Folder in which features may be kept for a while.
        """
        made, times = kind.of(self.block()), np.array(self._mapped("times"))
        if isinstance(recipe, PortfolioRecipe) and isinstance(self.bars, Panel):
            optional = {name: values for name, values in made.columns.items() if name != _STALE}
            panel = replace(self.bars, timestamps=times, prices=made.prices, stale=made.columns[_STALE] > 0.5, optional=optional)
            facts = {**self.facts, "source": "synthetic", "reference": f"{kind.words} of {self.facts['reference']}"}
            return Ground(recipe, replace(featured_assets(recipe, panel, scratch, facts), split=self.split))
        if isinstance(recipe, PortfolioRecipe) or isinstance(self.bars, Panel):
            raise ConfigError(f"recipe {recipe.name} and its bars are of different families")
        origin = {**self.bars.origin, "source": "synthetic", "reference": f"{kind.words} of {self.bars.origin['reference']}"}
        found = replace(self.bars, bars=_frame_of(made, times, self.bars.bars), origin=origin)
        return Ground(recipe, replace(featured_bars(recipe, found, scratch), split=self.split))

    def _mapped(self, name: str) -> np.ndarray:
        try:
            return np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder / name}.npy cannot be read: {error}") from error


def _block_of(bars: pd.DataFrame) -> BarBlock:
    further = [str(name) for name in bars.columns if name not in ("timestamp", *BAR_COLUMNS)]
    return BarBlock(price_block(bars)[None], {name: bars[name].to_numpy(np.float64)[None] for name in further})


def _frame_of(made: BarBlock, times: np.ndarray, like: pd.DataFrame) -> pd.DataFrame:
    """Return the bars of one series as a frame with the columns of another, in their order."""
    prices = {name: made.prices[0, :, place] for place, name in enumerate(BAR_COLUMNS)}
    values = {"timestamp": from_milliseconds(times), **prices, **{name: column[0] for name, column in made.columns.items()}}
    return pd.DataFrame({str(name): values[str(name)] for name in like.columns}).astype(like.dtypes.to_dict())
