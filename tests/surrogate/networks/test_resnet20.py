"""ResNet-20: its size, its published weights, files that are none."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from surrogate.analog import LayerSettings, Mapping, analog_layers, convert
from surrogate.analog.convert import folded
from surrogate.data.cifar10 import read_cifar10
from surrogate.errors import InputError
from surrogate.mapping import CurrentRange
from surrogate.networks.resnet20 import WEIGHTS, ResNet20, load_resnet20
from surrogate.stated import ideal_arrays
from surrogate.training.evaluation import accuracy_of

HOME = Path(__file__).resolve().parents[4] / "shared" / "data"
FOLDERS = [Path(os.environ["FGCOSIM_DATA"]), HOME] if os.environ.get("FGCOSIM_DATA") else [HOME]
PUBLISHED = 0.9173
SIZE = 9 * (3 * 16 + 6 * 16**2 + 16 * 32 + 5 * 32**2 + 32 * 64 + 5 * 64**2) + 640


def found(*names):
    for folder in FOLDERS:
        for name in names:
            if (folder / name).exists():
                return folder / name
    pytest.skip(f"no {names[0]} in {', '.join(map(str, FOLDERS))}")


def weights():
    return load_resnet20(found(WEIGHTS))


def images():
    return read_cifar10(found("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin")).test


def test_twenty_layers_with_weights():
    layers = [m for m in ResNet20().modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 20 and sum(layer.weight.numel() for layer in layers) == SIZE


def test_all_norms_fold_and_all_layers_lie_on_arrays():
    torch.manual_seed(0)
    network, x = ResNet20().train(), torch.rand(8, 3, 32, 32)
    network(x)
    network.eval()
    plain = folded(network)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())
    tile = LayerSettings(144, 64, 8, CurrentRange(1e-8, 1e-6))
    twin = convert(network, ideal_arrays(tile), Mapping.of(tile, {"conv1": {"signed": True}}))
    assert len(analog_layers(twin)) == 20
    with torch.no_grad():
        torch.testing.assert_close(plain(x), network(x), rtol=1e-3, atol=1e-4)


def test_files_that_are_no_checkpoint_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_resnet20(tmp_path / "none.th")
    (tmp_path / "bad.th").write_bytes(b"\x80\x02no pickle")
    with pytest.raises(InputError, match=r"bad.th: no checkpoint of ResNet-20"):
        load_resnet20(tmp_path / "bad.th")
    torch.save({"state_dict": {"module.conv1.weight": torch.zeros(3)}}, tmp_path / "other.th")
    with pytest.raises(InputError, match="no checkpoint of ResNet-20"):
        load_resnet20(tmp_path / "other.th")


def test_the_published_weights_classify_images():
    assert accuracy_of(weights(), images().first(200)) > 0.87


@pytest.mark.long
def test_the_published_accuracy_is_reached():
    assert accuracy_of(weights(), images()) == pytest.approx(PUBLISHED, abs=5e-5)
