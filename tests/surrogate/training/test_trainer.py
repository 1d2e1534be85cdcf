"""The loop, for any module."""

import copy

import pytest
import torch
from tiny_run import images, recipe
from torch import nn

from surrogate.errors import InputError
from surrogate.networks.build import build
from surrogate.training.evaluation import accuracy, accuracy_of, scores_of
from surrogate.training.optimisers import make_schedule
from surrogate.training.recipe import Adam, AdamW, Augmentation, Constant, Cosine, OneCycle, Sgd, TrainingRecipe
from surrogate.training.trainer import Trainer, held_out

PLAIN = TrainingRecipe(epochs=3, batch=32, optimiser=Adam(rate=0.01))


def dropping(seed=0):
    """A network that draws from torch's global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("optimiser", [Sgd(rate=0.1), Sgd(rate=0.2, momentum=0.0), Adam(rate=0.01), AdamW(rate=0.01)])
@pytest.mark.parametrize("schedule", [Constant(), Cosine(), OneCycle()])
def test_every_optimiser_and_schedule_learns(optimiser, schedule):
    chosen = PLAIN.model_copy(update={"optimiser": optimiser, "schedule": schedule, "epochs": 6})
    trainer = Trainer(dropping(), held_out(images(300, 0), 0), chosen, 0)
    trainer.run()
    assert trainer.curve[-1].loss < 0.7 * trainer.curve[0].loss
    assert accuracy_of(trainer.network, images(100, 1)) > 0.6
    last = {"constant": optimiser.rate, "cosine": 0.0}.get(schedule.kind)
    assert last is None or trainer.curve[-1].rate == pytest.approx(last, abs=1e-9)


def test_seeds_decide_dropout_too_whatever_was_drawn_before():
    results = []
    for _ in range(2):
        torch.rand(7)
        network = dropping()
        Trainer(network, held_out(images(100, 0), 0), PLAIN, 4).run()
        results.append(weights(network))
    assert torch.equal(*results)


@pytest.mark.parametrize("steps", [1, 5, 10, 13])
def test_a_state_taken_anywhere_leads_to_the_same_bits(steps):
    """With dropout, validation, label smoothing and weight noise; the state goes through a deep copy."""
    chosen = PLAIN.model_copy(update={"validation": 20, "label_smoothing": 0.1, "weight_noise": 0.1})
    split = held_out(images(150, 0), 20)
    whole = Trainer(dropping(), split, chosen, 2)
    whole.run()
    first = Trainer(dropping(), split, chosen, 2)
    with first.own_generators():
        for _ in range(steps):
            first.step()
        state = copy.deepcopy(first.state())
    second = Trainer(dropping(9), split, chosen, 2)
    with second.own_generators():
        second.load_state(state)
        while not second.finished:
            second.step()
    assert torch.equal(weights(whole.network), weights(second.network))
    assert whole.curve == second.curve and whole.best_epoch == second.best_epoch
    assert all(torch.equal(whole.best[key], second.best[key]) for key in whole.best)


def test_an_epoch_of_some_images_draws_others_each_time_and_goes_on_to_the_same_bits():
    seen = []

    def watching(network, pixels, generator):
        seen.append(pixels.detach().clone())
        return network(pixels)

    chosen = PLAIN.model_copy(update={"epoch_images": 40})
    split = held_out(images(150, 0), 0)
    whole = Trainer(dropping(), split, chosen, 2, forward=watching)
    whole.run()
    assert [len(some) for some in seen] == [32, 8] * 3 and len(whole.curve) == 3
    first, second = (torch.cat(seen[k : k + 2]).flatten(1) for k in (0, 2))
    assert len(first.unique(dim=0)) == 40 and len(torch.cat([first, second]).unique(dim=0)) > 60
    begun, again = (Trainer(dropping(seed), split, chosen, 2) for seed in (0, 9))
    with begun.own_generators():
        for _ in range(3):
            begun.step()
        state = copy.deepcopy(begun.state())
    with again.own_generators():
        again.load_state(state)
        while not again.finished:
            again.step()
    assert torch.equal(weights(whole.network), weights(again.network)) and whole.curve == again.curve


def test_held_out_images_are_never_trained_on_and_the_same_for_all():
    split = held_out(images(60, 0), 15)
    again = held_out(images(60, 0), 15)
    assert len(split.train) == 45 and len(split.validation) == 15
    assert torch.equal(split.validation.pixels, again.validation.pixels)
    together = torch.cat([split.train.pixels, split.validation.pixels]).flatten(1)
    assert len(together.unique(dim=0)) == 60
    with pytest.raises(InputError, match=r"training.validation: 60 of 60"):
        held_out(images(60, 0), 60)


def test_a_loss_that_is_no_number_is_an_error_with_a_remedy():
    wild = PLAIN.model_copy(update={"optimiser": Sgd(rate=100.0, momentum=0.99), "epochs": 20})
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 3))
    with pytest.raises(InputError, match=r"training.optimiser.rate: the loss is .* lower it"):
        Trainer(network, held_out(images(100, 0), 0), wild, 0).run()


def poisoned(what):
    """A trainer one of whose weights, or of whose first or last pixels, is no number."""
    network, split = dropping(), held_out(images(100, 0), 0)
    with torch.no_grad():
        if what == "weight":
            network[1].weight[3, 5] = torch.nan
    trainer = Trainer(network, split, PLAIN, 0)
    if what != "weight":  # Images would have refused it before
        trainer.split.train.pixels[trainer._order[what]] = torch.nan
    return trainer


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("weight", "network: the loss is nan before the first step, as its 1.weight is not finite"),
        (0, "squares 0: pixels that are not finite"),
        (-1, "squares 0: pixels that are not finite"),
    ],
)
def test_a_loss_that_is_no_number_from_the_start_is_not_blamed_on_the_rate(what, says):
    with pytest.raises(InputError, match=says):
        poisoned(what).run()


def test_a_network_that_gives_no_numbers_is_blamed_before_the_first_step():
    network = dropping()
    network[-1].register_forward_hook(lambda *given: given[-1] * torch.inf)
    with pytest.raises(InputError, match=r"network: the loss is nan before the first step, as what it .*gives"):
        Trainer(network, held_out(images(100, 0), 0), PLAIN, 0).run()


def test_a_network_without_a_score_for_each_class_is_refused():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(InputError, match=r"scores \[32, 2\] of 32 images, but squares 0 has 3 classes"):
        Trainer(network, held_out(images(100, 0), 0), PLAIN, 0).run()


def test_a_network_with_nothing_to_train_is_refused():
    with pytest.raises(InputError, match=r"no parameter wants a gradient: set requires_grad"):
        Trainer(dropping().requires_grad_(False), held_out(images(100, 0), 0), PLAIN, 0)


def test_an_image_left_alone_is_refused_by_batch_norm_only():
    split, norm = held_out(images(97, 0), 0), nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3))
    with pytest.raises(InputError, match=r"training.batch: 32 of 97 images leave one image alone"):
        Trainer(norm, split, PLAIN, 0).run()
    Trainer(dropping(), split, PLAIN, 0).run()


@pytest.mark.parametrize(("steps", "warmup"), [(5, 0.2), (2, 0.5), (10, 0.1), (3, 1 / 3)])
def test_a_warm_up_of_a_single_step_begins_low_and_goes_on_at_the_top(steps, warmup):
    optimiser = torch.optim.SGD(dropping().parameters(), 0.5)
    schedule = make_schedule(OneCycle(warmup=warmup), optimiser, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.5 / 25) and rates[-1] < 1e-4
    assert rates[1:] == sorted(rates[1:], reverse=True)


def test_flat_images_cannot_be_shifted():
    flat = images(30, 0).flat()
    chosen = PLAIN.model_copy(update={"augmentation": Augmentation(shift=1)})
    with pytest.raises(InputError, match=r"training.augmentation: squares 0 has flat images"):
        Trainer(dropping(), held_out(flat, 0), chosen, 0)


def test_a_warm_start_begins_where_the_other_network_ended():
    first = Trainer(dropping(), held_out(images(300, 0), 0), PLAIN, 0)
    first.run()
    warm = dropping(5)
    warm.load_state_dict(first.network.state_dict())
    second = Trainer(warm, held_out(images(300, 0), 0), PLAIN, 1)
    second.run()
    assert second.curve[0].loss < 0.8 * first.curve[0].loss


def test_bfloat16_and_channels_last_learn_as_well():
    changes = {"precision": "bfloat16", "memory": "channels_last", "weight_noise": 0.0}
    fast = recipe(4).training.model_copy(update=changes)
    network = build(recipe().network, (1, 8, 8), 3, 0)
    trainer = Trainer(network, held_out(images(300, 0), 50), fast, 0)
    trainer.run()
    assert trainer.curve[-1].validation_accuracy > 0.7
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_the_best_epoch_is_that_of_the_validation_images():
    split = held_out(images(200, 0), 60)
    trainer = Trainer(build(recipe().network, (1, 8, 8), 3, 0), split, recipe(5).training, 0)
    trainer.run()
    reached = [epoch.validation_accuracy for epoch in trainer.curve]
    assert reached[trainer.best_epoch - 1] == max(reached)
    trainer.network.load_state_dict(trainer.best)
    assert accuracy_of(trainer.network, split.validation) == max(reached)


def test_evaluation_leaves_the_mode_and_does_not_depend_on_the_batch():
    network = dropping()
    some = images(50, 3)
    assert network.training
    one, other = scores_of(network, some.pixels, 7), scores_of(network, some.pixels)
    assert network.training and one.shape == (50, 3)
    torch.testing.assert_close(one, other)
    assert accuracy_of(network, some) == accuracy(one, some.labels)
