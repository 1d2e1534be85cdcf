"""Conversion of networks and back: folding, exclusion, names, copies, files, refusals."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import (
    AnalogConv,
    AnalogLinear,
    LayerSettings,
    Mapping,
    analog_layers,
    calibrate,
    convert,
    deploy,
    summary,
    to_digital,
)
from surrogate.analog.convert import folded
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange

CURRENTS = CurrentRange(5e-9, 2e-7)
TILE = LayerSettings(16, 12, 8, CURRENTS)


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3), nn.BatchNorm1d(3),
    )  # fmt: skip
    model(images(32, 2, 8, 8))
    return model.eval()


def analog(mapping=None, **changes):
    return convert(network(), surrogate(16, 12, **changes), mapping or Mapping(TILE))


def test_folding_keeps_the_function():
    model, x = network(), images(5, 2, 8, 8, seed=1)
    flat = folded(model)
    torch.testing.assert_close(flat(x), model(x), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) for m in flat.modules())
    assert isinstance(model[1], nn.BatchNorm2d)


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, x):
        return self.body(x) if float(x.sum()) > 0 else self.body(x) * 0


class Forked(nn.Module):
    """A layer that a batch norm is not alone to follow."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x):
        y = self.layer(x)
        return y + self.norm(y)


def test_what_cannot_be_traced_is_folded_by_its_sequences():
    model, x = Untraceable().eval(), images(5, 2, 8, 8, seed=1)
    flat = folded(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in flat.modules())
    torch.testing.assert_close(flat(x), model(x), rtol=1e-4, atol=1e-5)


def test_a_batch_norm_that_does_not_follow_alone_stays():
    model = Forked().eval()
    assert isinstance(folded(model).norm, nn.BatchNorm1d)
    twin = convert(model, surrogate(16, 12), Mapping(TILE))
    assert isinstance(twin.layer, AnalogLinear) and isinstance(twin.norm, nn.BatchNorm1d)


def test_converting_back_gives_the_folded_network():
    model, x = network(), images(5, 2, 8, 8, seed=1)
    back = to_digital(analog())
    assert [type(m) for m in back] == [type(m) for m in folded(model)]
    torch.testing.assert_close(back(x), model(x), rtol=1e-4, atol=1e-5)


def test_parameters_have_the_digital_names_and_shapes():
    digital, twin = folded(network()), analog()
    assert {n: p.shape for n, p in twin.named_parameters()} == {n: p.shape for n, p in digital.named_parameters()}
    assert set(digital.state_dict()) <= set(twin.state_dict())


def test_the_model_itself_stays_as_it_is():
    model = network()
    before = copy.deepcopy(model.state_dict())
    convert(model, surrogate(16, 12), Mapping(TILE))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert type(model[0]) is nn.Conv2d


def test_copies_and_files_give_identical_outputs(tmp_path):
    model, x = analog(), images(3, 2, 8, 8, seed=1)
    calibrate(model, images(8, 2, 8, 8))
    expected = model(x)
    assert torch.equal(copy.deepcopy(model)(x), expected)
    torch.save(model.state_dict(), tmp_path / "w.pt")
    other = analog()
    assert not torch.equal(other(x), expected)
    other.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))
    assert torch.equal(other(x), expected)


def test_excluded_layers_are_untouched():
    model = analog(Mapping.of(TILE, excluded=["0", "6"]))
    assert list(analog_layers(model)) == ["3"]
    assert torch.equal(model[0].weight, network()[0].weight)
    assert isinstance(model[1], nn.BatchNorm2d)


def test_settings_by_name():
    changes = {"0": {"rows": 9, "span": "column"}, "[36]": {"bits": 4, "currents": [1e-8, 1e-7]}}
    model = analog(Mapping.of(TILE, changes))
    layers = analog_layers(model)
    assert (layers["0"].settings.rows, layers["0"].span.shape) == (9, (4,))
    assert [layers[name].settings.bits for name in "036"] == [8, 4, 4]
    assert layers["3"].settings.currents == CurrentRange(1e-8, 1e-7)


def test_a_shared_layer_stays_shared():
    layer = nn.Linear(4, 4)
    twin = convert(nn.Sequential(layer, nn.ReLU(), layer), surrogate(16, 12), Mapping(TILE))
    assert twin[0] is twin[2] and isinstance(twin[0], AnalogLinear)


def test_a_model_that_is_one_layer():
    assert isinstance(convert(nn.Linear(4, 3), surrogate(16, 12), Mapping(TILE)), AnalogLinear)


def test_the_table_counts_arrays_cells_and_vmms():
    table = summary(analog(), images(1, 2, 8, 8))
    first, second, last = table.layers
    assert (first.arrays, first.cells_used, first.vmms_per_image) == (2, 2 * 18 * 4, 2 * 16)
    assert (second.matrix, second.arrays, second.vmms_per_image) == ("18x2 in 2 groups", 4, 4 * 4)
    assert (last.arrays, last.cells_used, last.utilisation) == (1, 96, 0.5)
    assert table.as_csv().count("\n") == 4 and table.digital == ()


def test_deployed_cells_do_not_follow_the_weights():
    model, x = deploy(analog()), images(2, 2, 8, 8, seed=1)
    before = model(x)
    with torch.no_grad():
        model[0].weight.mul_(0.5)
    assert torch.equal(model(x), before)


def test_calibration_lowers_the_error():
    model, x = analog(), images(24, 2, 8, 8)
    wanted = network()(x).detach()
    calibrate(model, x)
    first = (model(x).detach() - wanted).square().mean()
    with torch.no_grad():
        analog_layers(model)["6"].gain.mul_(1.2)
    assert first < (model(x).detach() - wanted).square().mean()


def test_a_reference_may_have_its_batch_norms():
    """The network that was converted calibrates its twin as the folded one does."""
    x = images(24, 2, 8, 8)
    twins = [analog(), analog()]
    for twin, reference in zip(twins, (network(), folded(network())), strict=True):
        calibrate(twin, x, reference=reference)
    assert torch.equal(twins[0](x), twins[1](x))
    wanted = network()(x)
    assert (twins[0](x) - wanted).std() < 0.5 * wanted.std()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"rows": 0}, "rows 0: give a whole number from 1 to 4096"),
        ({"rows": 8.0}, "rows 8.0"),
        ({"columns": 7}, "columns 7 is odd"),
        ({"bits": 0}, "bits 0"),
        ({"bits": True}, "bits True"),
        ({"converter_bits": 40}, "converter_bits 40"),
        ({"signed": "no"}, "signed 'no'"),
        ({"span": "cell"}, "span 'cell': give one of layer, column"),
        ({"currents": [2e-7, 1e-9]}, "needs 0 < low < high"),
        ({"currents": 3}, "currents 3: give"),
        ({"products": [1, 2, 1]}, "products"),
        ({"row": 3}, "'row' is no setting: use one of bits"),
    ],
)
def test_bad_settings_are_refused_by_name(changes, match):
    with pytest.raises(InputError, match="layers.0.*" + match.replace("(", r"\(")):
        Mapping.of(TILE, {"0": changes})


@pytest.mark.parametrize("mapping", [Mapping.of(TILE, {"body.*": {"bits": 2}}), Mapping.of(TILE, excluded=["9"])])
def test_names_of_no_layer_are_refused(mapping):
    with pytest.raises(InputError, match="fits no layer: the network's layers are 0, 3, 6"):
        analog(mapping)


def test_unsuitable_networks_and_surrogates_are_refused():
    with pytest.raises(InputError, match="layer 0: tile 16x12 leaves the surrogate's domain 8x6"):
        convert(network(), surrogate(8, 6), Mapping(TILE))
    with pytest.raises(InputError, match="validate"):
        analog(report=None)
    with pytest.raises(InputError, match="nothing to convert"):
        convert(nn.ReLU(), surrogate(16, 12), Mapping(TILE))
    model = network()
    nn.init.zeros_(model[3].weight)
    with pytest.raises(InputError, match="layer 3: weights: all zero"):
        convert(model, surrogate(16, 12), Mapping(TILE))


def test_negative_inputs_of_unsigned_layers_are_refused():
    with pytest.raises(InputError, match=r"layer 0: inputs down to .* set signed"):
        calibrate(analog(), images(4, 2, 8, 8) - 0.5)


def test_layers_out_of_use_are_refused():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(4, 2), nn.Linear(4, 2)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(InputError, match="layer idle: not used"):
        calibrate(convert(Idle(), surrogate(16, 12), Mapping(TILE)), images(4, 4))


def test_kinds():
    assert [type(layer) for layer in analog_layers(analog()).values()] == [AnalogConv, AnalogConv, AnalogLinear]
