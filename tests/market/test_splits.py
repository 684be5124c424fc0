import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seawall.core.errors import ConfigError, DataError
from seawall.market.splits import Split, SplitParams, chronological_split, purge_rows


def test_a_hundred_usable_rows_are_shared_70_15_15():
    # 20 + 100 + 2 * 5 rows: 70 from row 20, 5 unused, 15, 5 unused, 15.
    split = chronological_split(20, 130, SplitParams(), purge=5)
    parts = [(part.start, part.stop) for part in (split.train, split.validation, split.test)]
    assert parts == [(20, 90), (95, 110), (115, 130)]


def test_decimal_shares_are_not_cut_short_by_binary_rounding():
    # 0.29 * 100 is 28.999999999999996 in binary.
    assert len(chronological_split(0, 100, SplitParams(train=0.29, validation=0.29, test=0.42), purge=0).train) == 29


@given(
    first_row=st.integers(0, 600),
    usable=st.integers(14, 5_000),
    purge=st.integers(0, 300),
    train=st.integers(20, 60),
    validation=st.integers(15, 39),
)
def test_parts_are_in_order_with_exactly_the_purge_between_them(first_row, usable, purge, train, validation):
    params = SplitParams(train=train / 100, validation=validation / 100, test=(100 - train - validation) / 100)
    rows = first_row + usable + 2 * purge
    try:
        split = chronological_split(first_row, rows, params, purge)
    except DataError:
        # Only a part of less than two rows is refused.
        assert usable * min(train, validation, 100 - train - validation) < 200
        return
    assert split.train.start == first_row
    assert split.test.stop == rows
    assert (split.train.stop - 1) + purge + 1 == split.validation.start
    assert (split.validation.stop - 1) + purge + 1 == split.test.start
    assert len(split.train) + len(split.validation) + len(split.test) == usable
    assert min(len(split.train), len(split.validation), len(split.test)) >= 2


def test_too_few_rows_are_refused_with_the_number_required():
    # 2 / 0.15 rounds up to 14 usable rows, beside 500 of warm-up and twice 12 of purge.
    with pytest.raises(DataError, match=r"^537 rows are too few to split: 538 are required \(500 to warm up, 24 purged"):
        chronological_split(500, 537, SplitParams(), purge=12)
    assert len(chronological_split(500, 538, SplitParams(), purge=12).validation) == 2


@pytest.mark.parametrize(("first_row", "purge"), [(-1, 0), (0, -1)])
def test_negative_rows_are_refused(first_row, purge):
    with pytest.raises(ConfigError, match="is -1; allowed: 0 or more"):
        chronological_split(first_row, 100, SplitParams(), purge)


@pytest.mark.parametrize("shares", [(0.7, 0.15, 0.2), (0.7, 0.1, 0.1)])
def test_shares_that_do_not_sum_to_one_are_refused(shares):
    with pytest.raises(ValidationError, match="must sum to 1"):
        SplitParams(train=shares[0], validation=shares[1], test=shares[2])


def test_a_split_survives_json():
    split = chronological_split(20, 130, SplitParams(), purge=5)
    assert Split.from_dict(split.to_dict()) == split


def test_a_split_with_a_part_missing_is_refused():
    saved = chronological_split(20, 130, SplitParams(), purge=5).to_dict()
    del saved["validation"]
    with pytest.raises(DataError, match="not whole"):
        Split.from_dict(saved)


def test_a_purge_is_window_and_horizon_and_where_training_follows_the_test_the_warm_up():
    assert (purge_rows(12, 1), purge_rows(12, 20, 48)) == (13, 80)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, 1), "window is 0; allowed: a whole number of 1 or more"),
        ((1, -1), "horizon is -1; allowed: a whole number of 0 or more"),
        ((1, 1, 2.5), "warmup is 2.5; allowed: a whole number of 0 or more"),
    ],
)
def test_a_purge_of_no_whole_numbers_is_refused(numbers, words):
    with pytest.raises(ConfigError, match=words):
        purge_rows(*numbers)
