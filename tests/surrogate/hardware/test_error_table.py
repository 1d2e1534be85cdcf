"""Tables of measured programming errors: what recipes take from them, and the row and column that their errors name."""

import pytest
import torch
from torch import nn

from surrogate.analog import convert
from surrogate.effects.programming import MeasuredError
from surrogate.errors import InputError
from surrogate.hardware import load_hardware
from surrogate.hardware.error_table import MAX_ROWS

TILES = "name: x\ntiles: {rows: 16, columns: 12, current_max: 1e-6, on_off_ratio: 100}\n"
TABLE = "current_A,error_A\n0,1e-9\n1e-7,5e-9\n1e-6,2e-8\n"
MEASURED = "programming: {error: {kind: measured, table: tables/errors.csv}}\n"


def recipe(folder, table=TABLE, text=MEASURED):
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables" / "errors.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    (folder / "hw.yaml").write_text(TILES + text)
    return load_hardware(folder / "hw.yaml")


def test_a_table_is_found_beside_the_recipe_and_gives_the_errors_stated_in_it(tmp_path):
    (effect,) = recipe(tmp_path).settings().effects
    assert effect == MeasuredError((0.0, 1e-7, 1e-6), (1e-9, 5e-9, 2e-8))
    current = torch.full((200_000,), 5.5e-7, dtype=torch.float64)
    shown = effect.apply(current, 1e-6, torch.Generator().manual_seed(0))
    assert float(shown.std()) == pytest.approx(1.25e-8, rel=0.02, abs=0)


def test_relative_errors_and_the_other_order_of_columns(tmp_path):
    table = "\ufefferror_relative , current_A\r\n\r\n0.1,1e-7\r\n0.05,1e-6\r\n"
    (effect,) = recipe(tmp_path, table).settings().effects
    assert effect.currents == (1e-7, 1e-6)
    assert effect.sigmas == pytest.approx((1e-8, 5e-8), rel=1e-12, abs=0)


def test_single_layers_have_tables_of_their_own_and_write_verify_goes_on_top(tmp_path):
    (tmp_path / "other.csv").write_text("current_A,error_A\n0,0\n1e-6,3e-8\n")
    text = MEASURED.replace("}}", "}, verify: {tolerance: 0.05}}") + (
        "layers: {'2': {programming: {error: {table: other.csv}}}, '4': {programming: {error: null, verify: null}}}\n"
    )
    mapping = recipe(tmp_path, text=text).mapping()
    errors = [mapping.settings(name).effects for name in "024"]
    assert errors[0][0].error.sigmas[-1] == 2e-8 and errors[1][0].error.sigmas == (0.0, 3e-8) and errors[2] == ()


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("", r"errors\.csv:1: '': the header must be current_A,error_A or"),
        ("current,error\n1,2\n", r"errors\.csv:1: 'current,error': the header"),
        ("current_A,error_A,error_relative\n1,2,3\n", r"errors\.csv:1: .*the header"),
        ("current_A,error_A\n1e-7,1e-9\n", r"errors\.csv: 1 rows below the header"),
        ("current_A,error_A\n1e-7,1e-9\n1e-6\n", r"errors\.csv:3: 1 values under 2 names"),
        ("current_A,error_A\n1e-7,1e-9\n1e-6,small\n", r"errors\.csv:3: error_A: 'small' is no number"),
        ("current_A,error_A\n1e-7,nan\n1e-6,1\n", r"errors\.csv:2: error_A: 'nan' is not finite"),
        ("current_A,error_A\n1e-7,1e400\n1e-6,1\n", r"errors\.csv:2: error_A: '1e400' is not finite"),
        ("current_A,error_A\n-1e-7,0\n1e-6,1\n", r"errors\.csv:2: current_A: '-1e-7' is negative"),
        ("current_A,error_A\n1e-7,1_0\n1e-6,1\n", r"errors\.csv:2: error_A: '1_0' is no number"),
        ("current_A,error_A\n1e-6,1e-9\n1e-7,1e-9\n", r"errors\.csv:3: current_A: 1e-07 after 1e-06: sort"),
        ("current_A,error_A\n1e-6,1e-9\n1e-6,1e-9\n", r"errors\.csv:3: current_A: 1e-06 twice: sort"),
        ("current_A,error_relative\n1e-7,5\n1e-6,1e-9\n", r"errors\.csv:2: error_relative: '5' is above 1"),
        ('current_A,error_A\n"1e-7,1e-9\n', r"errors\.csv:2: no CSV"),
        (b"current_A,error_A\n\xff,1\n", r"errors\.csv: no UTF-8 text at byte 18"),
        ("current_A,error_A\n" + "".join(f"{k}e-9,0\n" for k in range(MAX_ROWS + 1)), r"errors\.csv:1002: more than"),
        ("current_A,error_A\n" + "\n" * 100_001, r"errors\.csv: larger than 100000 bytes"),
    ],
)  # fmt: skip
def test_errors_name_recipe_table_row_and_column(tmp_path, table, match):
    with pytest.raises(InputError, match=r"hw\.yaml: programming\.error\.table: .*" + match) as error:
        recipe(tmp_path, table)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("error", "match"),
    [
        ("{kind: measured, table: none.csv}", r"programming\.error\.table: .*none\.csv: no such table"),
        ("{kind: measured, table: tables}", r"programming\.error\.table: .*tables: no such table"),
        ("{kind: measured, table: 3}", r"programming\.error\.table 3: give the path"),
        ("{kind: measured, table: ''}", r"programming\.error\.table '': give the path"),
        (f"{{kind: measured, table: {'x' * 300}}}", r"programming\.error\.table 'x.*: give a readable"),
        ("{kind: measured, table: tables/errors.csv, sigmas: [0, 1]}", r"programming\.error\.sigmas: beside a table"),
        ("{kind: independent, table: tables/errors.csv, sigma: 0.1}", r"programming\.error\.table: unknown key"),
        ("{kind: measured}", r"programming\.error\.currents: missing"),
    ],
)
def test_errors_of_the_key_itself(tmp_path, error, match):
    with pytest.raises(InputError, match=r"hw\.yaml: " + match):
        recipe(tmp_path, text=f"programming: {{error: {error}}}\n")


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ("current_A,error_A\n1e-3,1e-4\n1e-2,1e-3\n", r"currents 0\.001 … 0\.01 A of the measured errors: beyond all"),
        ("current_A,error_A\n0,1e-9\n1e-6,2e-6\n", r"sigmas up to 2e-06 A: an error as large as the range"),
    ],
)
def test_tables_of_other_cells_or_beyond_their_range_are_refused(tmp_path, table, match):
    hardware = recipe(tmp_path, table)
    with pytest.raises(InputError, match=match):
        convert(nn.Linear(4, 3), hardware.arrays(), hardware.mapping())
