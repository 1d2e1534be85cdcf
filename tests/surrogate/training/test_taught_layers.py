"""Twins on arrays that learn what each layer of the software network gives."""

import copy

import pytest
import torch
from tiny_run import images
from torch import nn

from surrogate.analog import analog_layers, calibrate, convert
from surrogate.analog.observed import observed
from surrogate.errors import InputError
from surrogate.hardware import parse_hardware
from surrogate.training.losses import objective_of, of_classes, relative_error
from surrogate.training.recipe import Constant, Distillation, RelativeAdam, TrainingRecipe
from surrogate.training.trainer import Trainer, held_out

PLAIN = TrainingRecipe(epochs=2, batch=32, optimiser=RelativeAdam(rate=0.01))
FOLLOWING = PLAIN.model_copy(update={"distillation": Distillation(temperature=2.0, features=10.0)})
CHIP = parse_hardware("name: t\ntiles: {rows: 16, columns: 16, current_max: 5e-7, on_off_ratio: 10.0}", "t.yaml")


def software(seed=0):
    """A network with a batch norm that has seen images."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.ReLU(), nn.Linear(8, 3)
    )
    network(images(200, 5).pixels)
    return network.eval()


def twin_of(network):
    twin = convert(network, CHIP.arrays(), CHIP.mapping())
    calibrate(twin, images(100, 6).pixels, network)
    return twin


def off(network, by=0.3):
    """``network`` with other weights."""
    other = copy.deepcopy(network)
    with torch.no_grad():
        for layer in analog_layers(other).values():
            layer.weight += by * layer.weight.std() * torch.randn(layer.weight.shape)
    return other


def test_relative_errors():
    wanted = torch.tensor([[3.0, -4.0]])
    assert float(relative_error(wanted, wanted)) == 0
    assert float(relative_error(torch.zeros(1, 2), wanted)) == 1
    assert float(relative_error(torch.tensor([[3.0, -3.0]]), wanted)) == pytest.approx(1 / 25)
    assert float(relative_error(1e-3 * torch.tensor([[3.0, -3.0]]), 1e-3 * wanted)) == pytest.approx(1 / 25)
    assert float(relative_error(torch.zeros(2, 2), torch.zeros(2, 2))) == 0


def test_errors_of_all_layers_are_added_behind_folded_norms():
    teacher, pixels, labels = software(), images(20, 1).pixels, images(20, 1).labels
    network = off(twin_of(teacher))
    names = list(analog_layers(network))
    assert names == ["0", "4", "6"]
    found = objective_of(FOLLOWING, network, teacher)(network, pixels, labels)
    given, behind_norm = observed(network, names, pixels), observed(teacher, ["1", "4", "6"], pixels)
    errors = [relative_error(given[a].out, behind_norm[b].out) for a, b in zip(names, ["1", "4", "6"], strict=True)]
    assert min(errors) > 1e-3
    classes = of_classes(found.scores, teacher(pixels), 2.0)
    torch.testing.assert_close(found.loss, classes + 10 * sum(errors))
    torch.testing.assert_close(found.scores, network(pixels))
    found.loss.backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in analog_layers(network).values())


def test_layers_come_back_to_the_teachers():
    teacher, split = software(), held_out(images(300, 0), 0)
    start = off(twin_of(teacher), 1.0)

    def errors(network):
        names, pixels = ["0", "4"], images(50, 1).pixels
        mine, theirs = observed(network, names, pixels), observed(twin_of(teacher), names, pixels)
        return torch.stack([relative_error(mine[name].out, theirs[name].out) for name in names])

    reached = {}
    for features in (0.0, 10.0):
        changes = {"epochs": 12, "optimiser": RelativeAdam(rate=0.03), "distillation": Distillation(features=features)}
        recipe = PLAIN.model_copy(update=changes)
        trainer = Trainer(copy.deepcopy(start), split, recipe, 0, teacher=teacher)
        trainer.run()
        reached[features] = errors(trainer.network)
    assert (reached[10.0] < 0.3 * reached[0.0]).all() and (reached[10.0] < 0.3 * errors(start)).all()


def test_nothing_hangs_on_the_networks_afterwards():
    teacher = software()
    trainer = Trainer(twin_of(teacher), held_out(images(40, 0), 0), FOLLOWING, 0, teacher=teacher)
    trainer.run()
    assert not any(module._forward_hooks for model in (trainer.network, teacher) for module in model.modules())


def test_networks_without_arrays_have_no_layers_to_follow():
    with pytest.raises(InputError, match="features: no layers on arrays"):
        Trainer(software(), held_out(images(40, 0), 0), FOLLOWING, 0, teacher=software(1))


def test_relative_rates_move_large_and_small_weights_by_the_same_share():
    network = twin_of(software())
    with torch.no_grad():
        network[4].weight *= 100
    recipe = PLAIN.model_copy(update={"schedule": Constant(), "optimiser": RelativeAdam(rate=0.003)})
    trainer = Trainer(copy.deepcopy(network), held_out(images(40, 0), 0), recipe, 0)
    trainer.step()
    for name, before in network.named_parameters():
        moved = (trainer.network.get_parameter(name) - before).abs()
        unit = float(before.detach().square().mean().sqrt())
        assert float(moved.max()) == pytest.approx(0.003 * unit, rel=1e-3), name
    trainer.run()
    assert trainer.curve[-1].rate == pytest.approx(0.003)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_state_taken_anywhere_leads_to_the_same_bits(steps):
    teacher, split = software(), held_out(images(64, 0), 10)
    whole, first, second = (Trainer(twin_of(teacher), split, FOLLOWING, 2, teacher=teacher) for _ in range(3))
    whole.run()
    with first.own_generators():
        for _ in range(steps):
            first.step()
        state = copy.deepcopy(first.state())
    second.load_state(state)
    second.run()
    assert second.curve == whole.curve
    for a, b in zip(second.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(a, b)
