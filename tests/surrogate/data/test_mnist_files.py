"""MNIST and its relatives, from small files in their formats."""

import pytest
import torch
from data_files import idx_bytes, random_bytes, write, write_mnist

from surrogate.data.images import DataSet, Images
from surrogate.data.mnist import EMNIST, FASHION, MNIST, downsampled, present, read_idx_set
from surrogate.errors import InputError

COUNTS = (12, 6)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "."])
def test_the_official_names_are_found_wherever_they_usually_lie(tmp_path, place, zipped):
    images, labels = write_mnist(tmp_path / place, zipped=zipped)
    train, test = read_idx_set(MNIST, tmp_path, COUNTS)
    assert train.pixels.shape == (12, 1, 28, 28) and test.pixels.shape == (6, 1, 28, 28)
    assert torch.equal((train.pixels[:, 0] * 255).round().to(torch.uint8), images)
    assert torch.equal(train.labels, labels.long())
    assert (train.name, test.name, len(train.classes)) == ("mnist train", "mnist test", 10)


def test_pixels_run_from_0_to_1(tmp_path):
    write_mnist(tmp_path)
    pixels = torch.zeros(12, 28, 28, dtype=torch.uint8)
    pixels[0, 0, 0], pixels[0, 0, 1] = 255, 51
    write(tmp_path / "train-images-idx3-ubyte.gz", idx_bytes(pixels))
    train = read_idx_set(MNIST, tmp_path, COUNTS).train.pixels
    assert train.dtype == torch.float32 and train[0, 0, 0, :3].tolist() == pytest.approx([1.0, 0.2, 0.0])


def write_emnist(folder, split, classes, first):
    """A tiny EMNIST whose images, written by columns, have a bright upper edge when upright."""
    upright = torch.zeros(4, 28, 28, dtype=torch.uint8)
    upright[:, 0, :] = 255
    for part, count in (("train", 4), ("test", 3)):
        labels = torch.tensor([first, first + classes - 1, first, first + 1], dtype=torch.uint8)[:count]
        write(folder / f"emnist-{split}-{part}-images-idx3-ubyte.gz", idx_bytes(upright[:count].transpose(1, 2)))
        write(folder / f"emnist-{split}-{part}-labels-idx1-ubyte.gz", idx_bytes(labels))


@pytest.mark.parametrize(("split", "classes"), [("byclass", 62), ("bymerge", 47), ("balanced", 47), ("letters", 26),
                                                ("digits", 10), ("mnist", 10)])  # fmt: skip
def test_emnist_is_turned_upright_and_its_classes_start_at_0(tmp_path, split, classes):
    first = 1 if split == "letters" else 0
    write_emnist(tmp_path / "gzip", split, classes, first)
    train, test = read_idx_set(EMNIST[split], tmp_path, (4, 3))
    assert train.pixels[:, 0, 0, :].min() == 1 and train.pixels[:, 0, 1:, :].max() == 0
    assert len(train.classes) == classes and len(set(train.classes)) == classes
    assert train.labels.tolist() == [0, classes - 1, 0, 1] and len(test) == 3


def test_a_letter_of_label_0_is_refused(tmp_path):
    write_emnist(tmp_path, "letters", 26, 0)
    with pytest.raises(InputError, match=r"labels-idx1.*labels from 0 to 25 instead of 1 to 26"):
        read_idx_set(EMNIST["letters"], tmp_path, (4, 3))


def test_a_missing_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match="no t10k-labels-idx1-ubyte or"):
        read_idx_set(MNIST, tmp_path, COUNTS)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("wanted", "there"), [(MNIST, FASHION), (FASHION, MNIST)])
@pytest.mark.parametrize("inside", [False, True])
def test_another_set_with_files_of_the_same_names_is_refused(tmp_path, wanted, there, inside, zipped):
    """Directly in the folder, whatever its name, and in one that has the wanted set's name."""
    place = tmp_path / wanted.name if inside else tmp_path
    write_mnist(place, zipped=zipped, kind=there)
    with pytest.raises(
        InputError, match=rf"train-labels.*another data set than {wanted.name}: .* folder {wanted.name}"
    ):
        read_idx_set(wanted, tmp_path, COUNTS)
    assert len(read_idx_set(there, place, COUNTS).train) == 12


def test_the_test_labels_tell_sets_apart_too(tmp_path):
    write_mnist(tmp_path)
    images = (tmp_path / "t10k-labels-idx1-ubyte.gz").read_bytes()
    write_mnist(tmp_path, kind=FASHION)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(images)
    with pytest.raises(InputError, match=r"t10k-labels.*labels 7 2 1 0 4 1 … instead of 9 2 1 1"):
        read_idx_set(FASHION, tmp_path, COUNTS)


def test_a_set_is_never_made_of_files_in_two_places(tmp_path):
    """Fashion-MNIST directly in the folder would complete what MNIST's own lacks there."""
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").unlink()
    write(tmp_path / "train-images-idx3-ubyte.gz", idx_bytes(random_bytes(12, 28, 28)))
    assert not present(MNIST, tmp_path)
    with pytest.raises(InputError, match=r"mnist: no train-images-idx3-ubyte or"):
        read_idx_set(MNIST, tmp_path, COUNTS)


def test_sets_of_the_same_names_lie_in_folders_of_their_own(tmp_path):
    for kind in (MNIST, FASHION):
        write_mnist(tmp_path / kind.name, kind=kind)
    for kind in (MNIST, FASHION):
        for folder in (tmp_path, tmp_path / kind.name):
            train = read_idx_set(kind, folder, COUNTS).train
            assert train.name == f"{kind.name} train" and train.labels[:10].tolist() == list(kind.begins[0])


def test_other_numbers_of_images_or_labels_are_refused(tmp_path):
    write_mnist(tmp_path)
    with pytest.raises(InputError, match="12 items instead of 60000"):
        read_idx_set(MNIST, tmp_path)
    write(tmp_path / "train-labels-idx1-ubyte.gz", idx_bytes(random_bytes(11, below=10)))
    with pytest.raises(InputError, match=r"labels.*11 items instead of 12"):
        read_idx_set(MNIST, tmp_path, COUNTS)


def test_labels_beyond_the_classes_are_refused(tmp_path):
    write_mnist(tmp_path)
    write(tmp_path / "train-labels-idx1-ubyte.gz", idx_bytes(torch.full((12,), 10, dtype=torch.uint8)))
    with pytest.raises(InputError, match="labels from 10 to 10 instead of 0 to 9"):
        read_idx_set(MNIST, tmp_path, COUNTS)


@pytest.mark.parametrize("side", [14, 7])
def test_low_resolution_is_the_mean_over_areas(side):
    pixels = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    images = Images(pixels, torch.zeros(3, dtype=torch.int64), "random", ("a",))
    small = downsampled(DataSet(images, images), side).train
    step = 28 // side
    wanted = torch.stack([
        pixels[:, :, r * step : (r + 1) * step, c * step : (c + 1) * step].mean((2, 3))
        for r in range(side) for c in range(side)
    ], -1).reshape(3, 1, side, side)  # fmt: skip
    torch.testing.assert_close(small.pixels, wanted)
    assert f"{side}x{side}" in small.name


def test_sides_that_do_not_divide_are_refused():
    images = Images(torch.zeros(1, 1, 28, 28), torch.zeros(1, dtype=torch.int64), "black", ("a",))
    with pytest.raises(InputError, match="divisor"):
        downsampled(DataSet(images, images), 9)
