"""Twins on arrays that learn what each layer of the software network gives."""

import copy
from dataclasses import replace

import pytest
import torch
from tiny_run import images
from torch import nn

from surrogate.analog import analog_layers, calibrate, convert
from surrogate.analog.observed import observed
from surrogate.errors import InputError
from surrogate.hardware import parse_hardware
from surrogate.training.losses import objective_of, of_classes, relative_error
from surrogate.training.recipe import Constant, Distillation, OneCycle, RelativeAdam, TrainingRecipe
from surrogate.training.trainer import Trainer, held_out

PLAIN = TrainingRecipe(epochs=2, batch=32, optimiser=RelativeAdam(rate=0.01), schedule=OneCycle())
FOLLOWING = PLAIN.model_copy(update={"distillation": Distillation(features=3.0, share=0.25)})
CHIP = parse_hardware("name: t\ntiles: {rows: 16, columns: 16, current_max: 5e-7, on_off_ratio: 10.0}", "t.yaml")
CPU = torch.device("cpu")


class Rectified(nn.Module):
    """A network with nested layers, a batch norm that only counts in evaluation, and what changes in place."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten())
        self.middle = nn.Linear(144, 8)
        self.last = nn.Linear(8, 3)

    def forward(self, pixels):
        hidden = self.middle(self.body(pixels))
        hidden += 0.1 * hidden
        return self.last(torch.relu_(hidden))


def software(seed=0):
    """A network that has seen images."""
    torch.manual_seed(seed)
    network = Rectified()
    network(images(200, 5).pixels)
    return network.eval()


def twin_of(network, excluded=()):
    twin = convert(network, CHIP.arrays(), replace(CHIP.mapping(), excluded=excluded))
    calibrate(twin, images(100, 6).pixels, network)
    return twin


def off(network, by):
    """``network`` with other weights."""
    other = copy.deepcopy(network)
    with torch.no_grad():
        for layer in analog_layers(other).values():
            layer.weight += by * layer.weight.std() * torch.randn(layer.weight.shape)
    return other


def errors(network, teacher, pixels):
    """Relative errors of all layers, batch norms being folded."""
    shown, wanted = observed(network, analog_layers(network), pixels), observed(twin_of(teacher), LAYERS, pixels)
    return torch.stack([relative_error(name, shown[name].out, wanted[name].out) for name in shown])


LAYERS = ("body.0", "middle", "last")


def test_relative_errors():
    wanted = torch.tensor([[3.0, -4.0]])
    assert float(relative_error("a", wanted, wanted)) == 0
    assert float(relative_error("a", torch.zeros(1, 2), wanted)) == 1
    assert float(relative_error("a", torch.tensor([[3.0, -3.0]]), wanted)) == pytest.approx(1 / 25)
    assert float(relative_error("a", 1e-3 * torch.tensor([[3.0, -3.0]]), 1e-3 * wanted)) == pytest.approx(1 / 25)


def test_layers_that_should_give_nothing_are_left_alone():
    found = torch.ones(2, 2, requires_grad=True)
    error = relative_error("a", found, torch.zeros(2, 2))
    error.backward()
    assert float(error.detach()) == 0 and torch.equal(found.grad, torch.zeros(2, 2))


@pytest.mark.parametrize("done", [0.0, 0.49, 0.5, 1.0])
def test_errors_of_all_layers_are_added_behind_folded_norms_and_before_what_follows(done):
    teacher, batch = software(), images(20, 1)
    network = off(twin_of(teacher), 0.3)
    chosen = Distillation(temperature=2.0, share=0.25, features=3.0, features_until=0.5)
    recipe = PLAIN.model_copy(update={"distillation": chosen})
    found = objective_of(recipe, network, teacher.train(), CPU)(network, batch.pixels, batch.labels, done)
    teacher.eval()
    given = observed(network, LAYERS, batch.pixels)
    wanted = observed(teacher, ("body.1", "middle", "last"), batch.pixels)
    each = [relative_error(a, given[a].out, b.out) for a, b in zip(LAYERS, wanted.values(), strict=True)]
    assert min(each) > 1e-3
    expected = 0.25 * of_classes(found.scores, teacher(batch.pixels), 2.0)
    expected = expected + 0.75 * nn.functional.cross_entropy(found.scores, batch.labels)
    torch.testing.assert_close(found.loss, expected + (3 * sum(each) if done < 0.5 else 0))
    found.loss.backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in analog_layers(network).values())


def test_what_changes_in_place_is_seen_as_it_was():
    torch.manual_seed(0)
    layers = [nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3)]
    plain, changing = nn.Sequential(*layers), nn.Sequential(layers[0], nn.ReLU(inplace=True), layers[2])
    pixels = images(30, 1).pixels.flatten(1)
    for name in ("0", "2"):
        torch.testing.assert_close(*(observed(network, ["0", "2"], pixels)[name].out for network in (plain, changing)))


def test_layers_come_back_to_the_teachers():
    teacher, split, pixels = software(), held_out(images(300, 0), 0), images(50, 1).pixels
    start = off(twin_of(teacher), 1.0)
    reached = {}
    for features in (0.0, 10.0):
        changes = {"epochs": 12, "optimiser": RelativeAdam(rate=0.03), "distillation": Distillation(features=features)}
        trainer = Trainer(copy.deepcopy(start), split, PLAIN.model_copy(update=changes), 0, teacher=teacher)
        trainer.run()
        reached[features] = errors(trainer.network, teacher, pixels)[:2]
    assert (reached[10.0] < 0.3 * reached[0.0]).all()
    assert (reached[10.0] < 0.3 * errors(start, teacher, pixels)[:2]).all()


def test_layers_off_the_arrays_are_not_followed():
    teacher, batch = software(), images(20, 1)
    network = off(twin_of(teacher, ("middle",)), 0.3)
    assert list(analog_layers(network)) == ["body.0", "last"]
    found = objective_of(FOLLOWING, network, teacher, CPU)(network, batch.pixels, batch.labels, 0.0)
    plain = PLAIN.model_copy(update={"distillation": Distillation(share=0.25)})
    without = objective_of(plain, network, teacher, CPU)(network, batch.pixels, batch.labels, 0.0)
    expected = 3 * errors(network, teacher, batch.pixels).sum()
    torch.testing.assert_close(found.loss - without.loss, expected, rtol=0.01, atol=0)


@pytest.mark.parametrize("changes", [{"precision": "bfloat16", "memory": "channels_last"}, {"weight_noise": 0.05}])
def test_the_teacher_stays_as_it_is_and_nothing_hangs_on_the_networks_afterwards(changes):
    teacher = software()
    before = copy.deepcopy(teacher.state_dict())
    recipe = FOLLOWING.model_copy(update=changes)
    trainer = Trainer(twin_of(teacher), held_out(images(40, 0), 0), recipe, 0, teacher=teacher)
    trainer.run()
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not any(module._forward_hooks for module in trainer.network.modules())


def test_what_cannot_be_followed_is_refused():
    split, teacher = held_out(images(40, 0), 0), software()
    with pytest.raises(InputError, match="features: no layers on arrays"):
        Trainer(software(), split, FOLLOWING, 0, teacher=teacher)
    with pytest.raises(InputError, match=r"features: no layer body\.0 in the network"):
        Trainer(twin_of(teacher), split, FOLLOWING, 0, teacher=nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    wide = software()
    wide.middle, wide.last = nn.Linear(144, 9), nn.Linear(9, 3)
    with pytest.raises(InputError, match=r"layer middle gives \(32, 8\), the network to learn from \(32, 9\)"):
        Trainer(twin_of(teacher), split, FOLLOWING, 0, teacher=wide).run()


def test_relative_rates_move_large_and_small_weights_by_the_same_share():
    network = twin_of(software())
    with torch.no_grad():
        network.middle.weight *= 100
        network.last.bias.zero_()
    recipe = PLAIN.model_copy(update={"schedule": Constant(), "optimiser": RelativeAdam(rate=0.003)})
    trainer = Trainer(copy.deepcopy(network), held_out(images(40, 0), 0), recipe, 0)
    trainer.step()
    for name, before in network.named_parameters():
        moved = (trainer.network.get_parameter(name) - before).detach().abs()
        unit = max(float(before.detach().square().mean().sqrt()), 1e-3)
        assert float(moved.max()) == pytest.approx(0.003 * unit, rel=1e-3), name
    trainer.run()
    assert trainer.curve[-1].rate == pytest.approx(0.003)


def test_schedules_keep_the_ratio_of_relative_rates():
    trainer = Trainer(twin_of(software()), held_out(images(70, 0), 0), PLAIN, 0)
    rates = []
    while not trainer.finished:
        rates.append([group["lr"] / group["unit"] for group in trainer.optimiser.param_groups])
        assert rates[-1] == pytest.approx([rates[-1][0]] * len(rates[-1]))
        trainer.step()
    assert max(rate[0] for rate in rates) > 5 * rates[0][0] and rates[0][0] == pytest.approx(0.01 / 25)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_state_taken_anywhere_leads_to_the_same_bits(steps):
    teacher, split = software(), held_out(images(64, 0), 10)
    whole, first = (Trainer(twin_of(teacher), split, FOLLOWING, 2, teacher=teacher) for _ in range(2))
    second = Trainer(off(twin_of(teacher), 0.5), split, FOLLOWING, 7, teacher=teacher)
    whole.run()
    with first.own_generators():
        for _ in range(steps):
            first.step()
        state = copy.deepcopy(first.state())
    with second.own_generators():
        second.load_state(state)
        while not second.finished:
            second.step()
    assert second.curve == whole.curve and second.best_epoch == whole.best_epoch
    for a, b in zip(second.best.values(), whole.best.values(), strict=True):
        assert torch.equal(a, b)
