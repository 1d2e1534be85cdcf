"""Twins take what torch's layers take, and are called, frozen, tied and shared in memory as these are."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

sys.path.insert(0, str(Path(__file__).parents[1]))
from synthetic import surrogate

from surrogate.analog import LayerSettings, Mapping, analog_layers, calibrate, convert, deploy, order_rows, to_digital
from surrogate.analog.convert import folded
from surrogate.data.images import Images
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.stated import ideal_arrays
from surrogate.training.recipe import Adam, TrainingRecipe
from surrogate.training.trainer import Split, Trainer

TILE = LayerSettings(16, 12, 8, CurrentRange(5e-9, 2e-7))
FINE = LayerSettings(16, 12, 16, CurrentRange(5e-9, 2e-7))
RECIPE = TrainingRecipe(epochs=6, batch=16, optimiser=Adam(rate=0.01), precision="bfloat16")
WAYS = {
    "differences": {}, "few products": {"products": (2, 1, 1)}, "plain": {"products": (6, 4, 3)},
    "charges": {"converter_bits": 10},
}  # fmt: skip


def inputs(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 5))


def twin(model, **settings):
    return convert(model, surrogate(16, 12), Mapping(LayerSettings(16, 12, 8, TILE.currents, **settings)))


@pytest.mark.parametrize("way", WAYS)
def test_mixed_precision_trains_an_analog_layer_in_its_own_precision(way):
    model, x = twin(perceptron(), **WAYS[way]), inputs(9, 20)
    calibrate(model, x)
    exact = model(x)
    exact.square().sum().backward()
    slope = model[0].weight.grad.clone()
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(x)
    mixed.float().square().sum().backward()
    assert torch.equal(mixed, exact)
    torch.testing.assert_close(model[0].weight.grad, slope)


def test_a_whole_training_in_mixed_precision_learns():
    torch.manual_seed(0)
    wanted, x = nn.Linear(20, 5), inputs(256, 20)
    data = Images(x, wanted(x - 0.5).argmax(-1).detach(), "drawn", tuple("abcde"))
    model = nn.Sequential(nn.Linear(20, 12), nn.ReLU(), twin(nn.Sequential(nn.Linear(12, 5))))
    trainer = Trainer(model, Split(data, None), RECIPE, 0)
    trainer.run()
    assert trainer.curve[-1].loss < 0.9 * trainer.curve[0].loss


@pytest.mark.parametrize("way", WAYS)
def test_inference_mode_gives_what_no_grad_does_and_training_may_follow(way):
    x, digital, arrays = inputs(9, 20), perceptron(), surrogate(16, 12)
    with torch.inference_mode():
        model = convert(digital, arrays, Mapping(LayerSettings(16, 12, 8, TILE.currents, **WAYS[way])))
        order_rows(model, x)
        calibrate(model, x)
        shown = model(x)
    with torch.no_grad():
        assert torch.equal(model(x), shown)
    model(x).sum().backward()
    assert bool(model[0].weight.grad.abs().sum() > 0)
    with torch.inference_mode():
        chip, back = deploy(model), to_digital(model)
    calibrate(chip, x)
    back(x).sum().backward()
    assert bool(back[0].weight.grad.abs().sum() > 0)


def test_frozen_parameters_stay_frozen_there_and_back():
    model = perceptron()
    model[0].requires_grad_(False)
    analog = twin(model)
    frozen = [p.requires_grad for p in model.parameters()]
    assert [p.requires_grad for p in analog.parameters()] == frozen
    assert [p.requires_grad for p in to_digital(analog).parameters()] == frozen


@pytest.mark.parametrize("frozen", ["layer", "norm", "both"])
def test_a_folded_layer_learns_unless_layer_and_batch_norm_are_frozen(frozen):
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2)).eval()
    for part, name in zip(model, ("layer", "norm"), strict=True):
        part.requires_grad_(frozen not in (name, "both"))
    assert {p.requires_grad for p in folded(model).parameters()} == {frozen != "both"}


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    analog = twin(model)
    assert analog[0].weight is analog[2].weight
    assert len(list(analog.parameters())) == 3
    with_digital = convert(model, surrogate(16, 12), Mapping.of(TILE, excluded=["0"]))
    assert with_digital[0].weight is with_digital[2].weight


class BySize(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2, 3)

    def forward(self, x):
        return self.head(input=self.body(input=x).relu().mean((2, 3)).view(-1, self.head.in_features))


def test_layers_are_called_by_keyword_and_know_their_sizes():
    model, x = BySize(), inputs(4, 1, 6, 6)
    analog = convert(model, surrogate(16, 12), Mapping.of(TILE, {"body": {"converter_bits": 8}}))
    order_rows(analog, x)
    calibrate(analog, x)
    assert analog(x).shape == (4, 3)
    assert (analog.head.in_features, analog.head.out_features) == (2, 3)


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.Linear(5, 3), (5,)), (nn.Conv1d(2, 3, 3), (2, 7)), (nn.Conv2d(2, 3, 3), (2, 6, 5))]
)
def test_one_input_without_a_batch_gives_what_a_batch_of_one_gives(layer, shape):
    model, x = convert(layer, ideal_arrays(FINE), Mapping(FINE)), inputs(*shape)
    calibrate(model, x)
    torch.testing.assert_close(model(x), model(x[None])[0])
    assert model(x).shape == layer(x).shape


class Steps(nn.Module):
    """A batch norm that takes time steps, not features, for its channels."""

    def __init__(self, steps):
        super().__init__()
        self.layer, self.norm = nn.Linear(9, 4), nn.BatchNorm1d(steps)

    def forward(self, x):
        return self.norm(self.layer(x))


def test_a_batch_norm_along_another_axis_is_not_folded():
    model, x = Steps(6), inputs(7, 6, 9)
    model(x)
    model.eval()
    analog = convert(model, ideal_arrays(FINE), Mapping(FINE))
    calibrate(analog, x, reference=model)
    torch.testing.assert_close(analog(x), model(x), rtol=0, atol=2e-3)


def test_where_only_its_inputs_tell_the_axis_of_a_batch_norm_they_are_refused():
    model, x = Steps(4).eval(), inputs(7, 4, 9)
    analog = convert(model, ideal_arrays(FINE), Mapping(FINE))
    with pytest.raises(InputError, match="exclude its layer"):
        analog(x)
    digital = to_digital(analog)
    convert(copy.deepcopy(digital), ideal_arrays(FINE), Mapping(FINE))
    traced = torch.fx.symbolic_trace(digital)
    assert torch.equal(traced(x[:, 0]), digital(x[:, 0]))
    with pytest.raises(InputError, match="exclude its layer"):
        traced(x)
    assert analog(x[:, 0]).shape == (7, 4)


def test_a_transformer_layer_computes_on_arrays_in_inference_too():
    torch.manual_seed(0)
    model, x = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval(), inputs(2, 3, 8)
    settings = LayerSettings(16, 12, 2, TILE.currents, signed=True)
    analog = convert(model, ideal_arrays(settings), Mapping(settings))
    with torch.no_grad():
        shown = analog(x)
    torch.testing.assert_close(shown, analog(x))
    assert not torch.allclose(shown, model(x), atol=1e-3)


def test_transformer_layers_with_padding_do_so_too():
    torch.manual_seed(0)
    layer, x = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), inputs(2, 3, 8)
    model, padding = nn.TransformerEncoder(layer, 2).eval(), torch.tensor([[False, False, True], [False] * 3])
    settings = LayerSettings(16, 12, 2, TILE.currents, signed=True)
    analog = convert(model, ideal_arrays(settings), Mapping(settings))
    with torch.no_grad():
        shown = analog(x, src_key_padding_mask=padding)
    torch.testing.assert_close(shown, analog(x, src_key_padding_mask=padding))
    one = convert(model, ideal_arrays(settings), Mapping.of(settings, excluded=["layers.0.*"]))
    assert [part.activation_relu_or_gelu for part in one.layers] == [1, 0]


@pytest.mark.parametrize("way", WAYS)
def test_calibration_is_exact_under_mixed_precision(way):
    exact, mixed, x = *(twin(perceptron(), **WAYS[way]) for _ in range(2)), inputs(9, 20)
    calibrate(exact, x, reference=perceptron())
    with torch.autocast("cpu", torch.bfloat16):
        calibrate(mixed, x, reference=perceptron())
    assert all(torch.equal(a, b) for a, b in zip(exact.buffers(), mixed.buffers(), strict=True))


def test_shapes_alone_are_computed_on_no_device():
    model = convert(perceptron(), ideal_arrays(TILE), Mapping(TILE)).to("meta")
    assert model(torch.empty(3, 20, device="meta")).shape == (3, 5)


def test_further_parameters_of_a_layer_do_not_matter():
    model = nn.Sequential(nn.Linear(6, 4))
    model[0].register_parameter("extra", nn.Parameter(torch.ones(3)))
    assert twin(model)(inputs(2, 6)).shape == (2, 4)


@pytest.mark.parametrize(
    "changed",
    [
        lambda layer: nn.utils.weight_norm(layer),
        lambda layer: nn.utils.spectral_norm(layer),
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_computed_weights_are_refused_by_name(changed):
    model = nn.Sequential(nn.ReLU(), changed(nn.Linear(6, 4)))
    with pytest.raises(InputError, match="layer 1: its weight is computed"):
        convert(model, surrogate(16, 12), Mapping(TILE))


def test_parametrised_layers_stay_digital():
    model = nn.Sequential(nn.Linear(6, 4), nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
    analog = twin(model)
    assert list(analog_layers(analog)) == ["0"]
    assert parametrize.is_parametrized(analog[1])


def test_half_precision_is_refused():
    with pytest.raises(InputError, match="float16"):
        twin(perceptron()).half()(inputs(2, 20).half())


@pytest.mark.parametrize("of", [calibrate, order_rows])
def test_no_inputs_at_all_are_refused(of):
    with pytest.raises(InputError, match="none to calibrate by"):
        of(twin(perceptron()), torch.empty(0, 20))


def test_an_order_is_refused_by_layer_before_any_is_changed():
    model = twin(nn.Sequential(nn.Linear(20, 12), nn.Linear(12, 5)))
    reference = nn.Sequential(nn.Linear(20, 12), nn.Linear(12, 5))
    nn.init.zeros_(reference[0].weight), nn.init.zeros_(reference[0].bias)
    with pytest.raises(InputError, match="layer 1: "):
        order_rows(model, inputs(9, 20), reference)
    assert model[0].order is None


def test_states_of_chips_and_of_networks_are_told_apart():
    model = twin(perceptron())
    chip = deploy(model)
    with pytest.raises(RuntimeError, match="programmed there alone"):
        model.load_state_dict(chip.state_dict())
    order_rows(model, inputs(9, 20))
    with pytest.raises(RuntimeError, match="programmed here alone"):
        chip.load_state_dict(model.state_dict(), strict=False)
    chip.load_state_dict({"0.gain": torch.full((12,), 2.0)}, strict=False)
    assert float(chip[0].gain[0]) == 2
