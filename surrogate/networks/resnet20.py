"""ResNet-20 for CIFAR-10."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from surrogate.errors import InputError

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What the published weights' training took from, and divided, the red, green and blue pixels in 0..1 by."""

WEIGHTS = Path("resnet_cifar10") / "resnet20-12fca82f.th"
"""Where the published weights lie in the folder of the data (Idelbayev, github.com/akamaster/pytorch_resnet_cifar10,
91.73 % of the test images)."""

MAX_BYTES = 50_000_000


class Normalised(nn.Module):
    """Pixels less their mean over their deviation, colour by colour."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images [b, 3, h, w]."""
        return (x - self.mean) / self.deviation


class Block(nn.Module):
    """Two 3×3 convolutions around which the input is added; where they have more maps, every second pixel of it with
    zeros for the new maps (option A of He et al.)."""

    def __init__(self, maps_in: int, maps: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(maps_in, maps, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(maps)
        self.conv2 = nn.Conv2d(maps, maps, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(maps)
        self.stride, self.new_maps = stride, maps - maps_in

    def forward(self, x: Tensor) -> Tensor:
        """Images [b, maps_in, h, w]."""
        inner = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        if self.new_maps:
            side = self.new_maps // 2
            x = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, side, side))
        return relu(inner + x)


class ResNet20(nn.Module):
    """He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2, n = 3: 20 layers with weights,
    0.27 million of them, 41 million multiplications an image. Takes pixels [b, 3, 32, 32] in 0..1."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.normalised = Normalised()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, 1)
        self.layer2 = _stage(16, 32, 2)
        self.layer3 = _stage(32, 64, 2)
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Scores [b, classes]."""
        x = relu(self.bn1(self.conv1(self.normalised(x))))
        x = self.layer3(self.layer2(self.layer1(x)))
        scores: Tensor = self.linear(x.mean((2, 3)))
        return scores


def _stage(maps_in: int, maps: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(maps_in, maps, stride), Block(maps, maps, 1), Block(maps, maps, 1))


def load_resnet20(path: Path) -> ResNet20:
    """The network with the weights of the torch checkpoint ``path`` (key ``state_dict``, names from ``module.`` on), in
    evaluation mode. Raises :class:`InputError` on files that are missing, foreign or damaged; nothing in them is run."""
    if not path.is_file():
        raise InputError(f"{path}: no such file: put the published ResNet-20 checkpoint there")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes: this is no checkpoint of ResNet-20")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {name.removeprefix("module."): value for name, value in content["state_dict"].items()}
        network = ResNet20()
        network.load_state_dict(tensors)
    except Exception as error:  # torch and its unpickler fail in many ways on what is no checkpoint
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{path}: no checkpoint of ResNet-20 ({reason}): fetch it again") from None
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise InputError(f"{path}: holds values that are not finite: fetch it again")
    return network.eval()
