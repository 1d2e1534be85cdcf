"""Imports flow one way: ``netlists`` and ``surrogate`` know neither each other nor ``cosim``, whose packages stand in
layers."""

from graphlib import TopologicalSorter

import grimp
import pytest

LAYERS = (
    {"cli"},
    {"commands"},
    {"reproduction"},
    {"study"},
    {"run_folder"},
    {"deployment", "fitting", "design_space"},
    {"campaigns", "figures"},
    {"vmm", "noise"},
    {"files"},
    {"spice"},
    {"errors", "progress", "version"},
)
"""What stands below ``cosim``: each may import from the sets after its own, and nothing from its own or from above."""


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("netlists", "cosim", "surrogate", cache_dir=None)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("netlists", "cosim"), ("netlists", "surrogate"), ("surrogate", "cosim"), ("surrogate", "netlists")],
)
def test_circuits_and_surrogates_know_no_other_package(graph, importer, imported):
    chains = graph.find_shortest_chains(importer, imported, as_packages=True)
    assert not chains, f"remove an import of {sorted(chains)[:3]}"


def test_imports_of_cosim_go_down_its_layers(graph):
    wrong = [
        f"{route.importer} imports {route.imported}"
        for route in graph.find_illegal_dependencies_for_layers(LAYERS, containers={"cosim"})
    ]
    assert not wrong


def test_every_package_of_cosim_has_a_layer(graph):
    assert {name.removeprefix("cosim.") for name in graph.find_children("cosim")} == set().union(*LAYERS)


def test_parts_of_the_surrogate_form_no_cycle(graph):
    parts = graph.find_children("surrogate")
    below = {
        part: {p for p in parts - {part} if graph.direct_import_exists(importer=part, imported=p, as_packages=True)}
        for part in parts
    }
    TopologicalSorter(below).prepare()  # raises CycleError with the parts of a cycle
