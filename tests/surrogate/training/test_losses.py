"""Losses against their closed forms, and networks that learn from another one."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from tiny_run import data, images, recipe
from torch import nn
from torch.nn.functional import cross_entropy

from surrogate.errors import InputError
from surrogate.training.evaluation import accuracy_of
from surrogate.training.losses import objective_of, of_classes
from surrogate.training.recipe import Adam, Distillation, TrainingRecipe
from surrogate.training.software import train_software
from surrogate.training.trainer import Trainer, held_out

PLAIN = TrainingRecipe(epochs=6, batch=32, optimiser=Adam(rate=0.01))
ALONE = PLAIN.model_copy(update={"distillation": Distillation()})
SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])


def small(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 3))


def test_a_teacher_that_is_sure_says_labels():
    sure = 1e3 * nn.functional.one_hot(LABELS, 3).double()
    torch.testing.assert_close(of_classes(SCORES, sure, 1.0).double(), cross_entropy(SCORES, LABELS))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_nothing_pulls_at_scores_that_are_the_teachers(temperature):
    scores = (SCORES + 7.0).requires_grad_()
    of_classes(scores, SCORES, temperature).backward()
    torch.testing.assert_close(scores.grad, torch.zeros_like(scores), rtol=0, atol=1e-6)


def test_hot_teachers_pull_scores_to_theirs_in_proportion():
    """Hinton, Vinyals, Dean, arXiv:1503.02531, equation 4, for scores of zero mean."""
    wanted, scores = SCORES - SCORES.mean(-1, keepdim=True), torch.zeros_like(SCORES, requires_grad=True)
    of_classes(scores, wanted, 1000.0).backward()
    torch.testing.assert_close(scores.grad, -wanted / 3 / len(SCORES), rtol=0.05, atol=1e-3)


def test_shares_add_up():
    teacher, x = small(0), torch.rand(2, 64)
    mixed = PLAIN.model_copy(update={"distillation": Distillation(temperature=3.0, share=0.25), "label_smoothing": 0.1})
    labelled = cross_entropy(SCORES.float(), LABELS, label_smoothing=0.1)
    expected = 0.25 * of_classes(SCORES, teacher(x), 3.0) + 0.75 * labelled
    found = objective_of(mixed, small(1), teacher, torch.device("cpu"))(lambda _: SCORES, x, LABELS, 0.0)
    torch.testing.assert_close(found.loss, expected)
    assert torch.equal(found.scores, SCORES)


def test_a_network_learns_what_its_teacher_knows_without_a_right_label():
    given = images(300, 0)
    teacher = small(0)
    Trainer(teacher, held_out(given, 0), PLAIN, 0).run()
    before = [p.detach().clone() for p in teacher.parameters()]
    wrong = replace(given, labels=(given.labels + 1) % 3)
    student = Trainer(small(1), held_out(wrong, 0), ALONE, 0, teacher=teacher)
    student.run()
    assert accuracy_of(student.network, images(100, 1)) == pytest.approx(accuracy_of(teacher, images(100, 1)), abs=0.05)
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))


def test_learning_from_nobody_is_refused(tmp_path):
    with pytest.raises(InputError, match="distillation: there is no network to learn from"):
        Trainer(small(0), held_out(images(50, 0), 0), ALONE, 0)
    mine = recipe()
    mine = mine.model_copy(update={"training": mine.training.model_copy(update={"distillation": Distillation()})})
    with pytest.raises(InputError, match="distillation"):
        train_software(mine, tmp_path, data(), 0)


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"temperature": float("nan")}, {"share": 0}, {"share": 1.1},
                                   {"features": -1}, {"features": float("nan")}, {"features": 1001},
                                   {"features_until": 0}, {"features_until": 1.5}])  # fmt: skip
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Distillation(**wrong)
