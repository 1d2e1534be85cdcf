"""Recipes in files: what is taken, and how the rest is refused."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from surrogate.errors import InputError
from surrogate.training.recipe_files import built_in_recipes, load_recipe, parse_recipe, recipe_text

TEXT = """
name: small
data: digits
network: {kind: mlp, sizes: [64, 32, 10]}
training:
  epochs: 3
  optimiser: {kind: adam, rate: 0.004}
"""


def changed(path, value):
    """TEXT with one value changed, or removed where it is None."""
    content = yaml.safe_load(TEXT)
    *before, last = path.split(".")
    inner = content
    for key in before:
        inner = inner[key]
    inner[last] = value
    if value is None:
        del inner[last]
    return yaml.safe_dump(content)


@pytest.mark.parametrize("name", ["mlp", "lenet5", "vgg"])
def test_recipes_of_the_package_survive_being_written(name):
    assert name in built_in_recipes()
    recipe = load_recipe(name)
    assert recipe.name == name and parse_recipe(recipe_text(recipe), "again") == recipe


def test_a_file_is_read_and_defaults_are_filled_in(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    recipe = load_recipe(str(path))
    assert recipe.training.batch == 64 and recipe.training.schedule.kind == "cosine"
    assert recipe.training.optimiser.rate == 0.004 and recipe.network.sizes == [64, 32, 10]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("training.epochs", 0, "training.epochs 0: .*greater than or equal to 1"),
        ("training.epochs", 2.5, "training.epochs 2.5"),
        ("training.epochs", "3", "training.epochs '3'"),
        ("training.epochs", True, "training.epochs True"),
        ("training.epochs", None, "training.epochs: missing: add it"),
        ("training.epoch", 3, "training.epoch: unknown key"),
        ("training.optimiser.rate", -1.0, "training.optimiser.rate -1.0"),
        ("training.optimiser.rate", float("nan"), "training.optimiser.rate nan"),
        ("training.optimiser.rate", float("inf"), "training.optimiser.rate inf"),
        ("training.optimiser.kind", "lion", "training.optimiser.*lion.*adamw"),
        ("training.optimiser.momentum", 0.9, "training.optimiser.momentum: unknown key"),
        ("training.precision", "float16", "training.precision 'float16'.*bfloat16"),
        ("training.weight_noise", -0.1, "training.weight_noise -0.1"),
        ("training.augmentation", {"flips": True}, "training.augmentation.flips: unknown key"),
        ("training.schedule", {"kind": "step"}, "training.schedule.*step.*one-cycle"),
        ("network.kind", "resnet", "network.*resnet.*lenet5"),
        ("network.sizes", [64], "network.sizes"),
        ("network.sizes", [64, 0, 10], "network.sizes.1 0"),
        ("network", {"kind": "vgg", "widths": ["pool"]}, "network.*number of maps"),
        ("network", {"kind": "vgg", "widths": [8, "pol"]}, "network.widths.1 'pol'"),
        ("data", "imagenet", "data 'imagenet'.*cifar10"),
        ("name", "../x", "name '../x'"),
    ],
)
def test_errors_name_file_key_value_and_remedy(path, value, says):
    with pytest.raises(InputError, match=f"^my.yaml: {says}") as caught:
        parse_recipe(changed(path, value), "my.yaml")
    assert "\n" not in str(caught.value) and str(caught.value).count(":") >= 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no recipe: give the keys name, data"),
        ("[1, 2]", "no recipe"),
        ("a: [", "no YAML"),
        ("a: &x [1]\nb: *x", "alias in line 2"),
        (TEXT + "name: other\n", "key name in line"),
        ("? [a]\n: 1", "no name|no YAML"),
        ("!!python/object/apply:os.getcwd []", "no YAML"),
        ("[" * 5000, "no YAML"),
        ("\0", "no YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(text, says):
    with pytest.raises(InputError, match=says) as caught:
        parse_recipe(text, "my.yaml")
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such recipe: give a file or one of .*lenet5"):
        load_recipe("nowhere")
    (tmp_path / "big.yaml").write_text("#" * 200_000)
    with pytest.raises(InputError, match="larger"):
        load_recipe(str(tmp_path / "big.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe4")
    with pytest.raises(InputError, match="UTF-8"):
        load_recipe(str(tmp_path / "latin.yaml"))


@given(st.text(max_size=80))
def test_no_text_whatever_raises_another_error(text):
    with pytest.raises(InputError):
        parse_recipe(text, "my.yaml")
