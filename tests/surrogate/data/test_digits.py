"""The 8×8 digits."""

import hashlib

import torch

from surrogate.data.digits import digits

DIGEST = "87185d62de5dcc6cfa6b9edf43cced0203d394388bf37987c8a96c84034e8219"
"""SHA-256 of the test labels in their order."""


def test_digits_are_split_once_and_for_all():
    train_set, test_set = digits()
    assert (len(train_set), len(test_set)) == (1257, 540)
    assert train_set.pixels.shape == (1257, 64)
    assert float(train_set.pixels.min()) == 0.0 and float(train_set.pixels.max()) == 1.0
    again = digits().test
    assert torch.equal(test_set.pixels, again.pixels)
    assert torch.equal(test_set.labels, again.labels)
    assert test_set.labels.bincount().tolist() == [54, 55, 53, 55, 54, 55, 54, 54, 52, 54]
    digest = hashlib.sha256(test_set.labels.to(torch.uint8).numpy().tobytes()).hexdigest()
    assert digest == DIGEST, "the split is another one: accuracies cannot be compared with earlier ones"
