"""A small extracted array as extractors write it: stubs to every cell, bus names, a shield; in two formats."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SECTION = {"wl": "WL[{i}]", "bl": "top/BL<{j}>", "cell": "XA/M{i}_{j}", "fg": "fg{i}.{j}"}
"""What a design must say about these names."""


@dataclass
class Net:
    name: str
    ports: list[str] = field(default_factory=list)
    pins: list[tuple[str, str]] = field(default_factory=list)
    resistors: list[tuple[str, str, float]] = field(default_factory=list)
    capacitors: list[tuple[str, str, float]] = field(default_factory=list)
    """To ground"""


@dataclass
class Network:
    nets: list[Net]
    couplings: list[tuple[str, str, float]]


def network(rows: int, columns: int, seed: int = 0) -> Network:
    """Lines with a stub to every cell, gates with an extension, a shield."""
    rng = np.random.default_rng(seed)
    ohms = lambda: round(float(rng.uniform(0.5, 20)), 3)  # noqa: E731
    farads = lambda: round(float(rng.uniform(5, 100)), 3) * 1e-18  # noqa: E731
    nets, couplings = [], []
    for i in range(rows):
        net = Net(f"WL[{i}]", ports=[f"WL[{i}]"])
        _line(net, [(f"XA/M{i}_{j}", "S") for j in range(columns)], ohms, farads)
        nets.append(net)
    for j in range(columns):
        net = Net(f"top/BL<{j}>", ports=[f"top/BL<{j}>"])
        _line(net, [(f"XA/M{i}_{j}", "D") for i in range(rows)], ohms, farads)
        nets.append(net)
    for i in range(rows):
        for j in range(columns):
            gate, pin = f"fg{i}.{j}", (f"XA/M{i}_{j}", "G")
            net = Net(gate, pins=[pin], resistors=[(":".join(pin), f"{gate}:1", ohms() / 100)])
            net.capacitors = [(":".join(pin), "0", farads()), (f"{gate}:1", "0", 2 * farads())]
            nets.append(net)
            couplings.append((f"{gate}:1", f"WL[{i}]:{j + 1}", farads()))
            couplings.append((f"{gate}:1", f"top/BL<{j}>:{i + 1}", farads() / 9))
            couplings.append((f"XA/M{i}_{j}:G", "VSS:1", farads() / 3))
            if i + 1 < rows:
                couplings.append((f"{gate}:1", f"WL[{i + 1}]:{j + 1}", farads() / 2))
                couplings.append((f"{gate}:1", f"fg{i + 1}.{j}:1", farads() / 9))
    nets.append(Net("VSS", ports=["VSS"], resistors=[("VSS", "VSS:1", 0.001)]))
    return Network(nets, couplings)


def _line(net, pins, ohms, farads):
    net.pins = pins
    before = net.name
    for k, pin in enumerate(pins, 1):
        node = f"{net.name}:{k}"
        net.resistors += [(before, node, ohms()), (node, ":".join(pin), ohms() / 5)]
        net.capacitors += [(node, "0", farads()), (":".join(pin), "0", farads() / 3)]
        before = node


def dspf(given: Network) -> str:
    """As StarRC and Calibre write it."""
    lines = ["*|DSPF 1.3", '*|DESIGN "array"', '*|VENDOR "a, b (c)"', "*|DIVIDER /", "*|DELIMITER :", "*|BUSBIT []",
             "**FORMAT SPF", "*|GROUND_NET 0", "* 3 metal1", ".SUBCKT array " + given.nets[0].name]  # fmt: skip
    lines += [f"+ {net.name}" for net in given.nets[1:] if net.ports]
    number = 0
    for net in given.nets:
        lines += ["*", f"*|NET {net.name} {_total(given, net) * 1e15!r}FF"]
        lines += [f"*|P ({port} X 0 1.5 2.25)" for port in net.ports]
        lines += [f"*|I ({inst}:{pin} {inst} {pin} B 0 $lvl=3 3.5 1)" for inst, pin in net.pins]
        nodes = {n for a, b, _ in net.resistors for n in (a, b)} - {*net.ports, *(":".join(p) for p in net.pins)}
        lines += [f"*|S ({node} 3 4) " for node in sorted(nodes)]
        for a, b, value in net.resistors:
            number += 1
            lines += [f"R{number} {a} {b}", f"+ {value!r} $layer=M1 $w=0.2"]
        grounded = enumerate(net.capacitors)
        lines += [f"Cg{number}_{k} {a} {b} {value * 1e15!r}F ; to ground" for k, (a, b, value) in grounded]
    lines += [f"CC{k} {a} {b} {value!r} $ coupling" for k, (a, b, value) in enumerate(given.couplings)]
    lines += ["MXA/M0_0 d g s b nch w=1u", "+ l=0.5u", ".ENDS"]
    return "\n".join(lines) + "\n"


def spef(given: Network) -> str:
    """As StarRC and OpenRCX write it: mapped and escaped names, couplings in the sections of both nets."""
    index = {name: k for k, name in enumerate(_names(given), 1)}
    owner = {node: net.name for net in given.nets for a, b, _ in net.resistors for node in (a, b)}

    def mapped(node):
        base = node if node in index else node.rpartition(":")[0]
        return f"*{index[base]}{node[len(base):]}"

    lines = ["// made by hand", '*SPEF "IEEE 1481-1999"', '*DESIGN "array" // not a comment: "x//y"', '*DATE "x"',
             "*DIVIDER /", "*DELIMITER :", "*BUS_DELIMITER [ ]", "*T_UNIT 1 NS", "*C_UNIT 1.0 PF", "*R_UNIT 1 KOHM",
             "*L_UNIT 1 HENRY", "", "*NAME_MAP"]  # fmt: skip
    lines += [f"*{k} " + "".join("\\" + c if c in "[]<>." else c for c in name) for name, k in index.items()]
    lines += ["*PORTS"] + [f"{mapped(port)} B *C 1 2" for net in given.nets for port in net.ports]
    for net in given.nets:
        lines += ["", f"*D_NET *{index[net.name]} {_total(given, net) * 1e12!r} *V 2", "*CONN"]
        lines += [f"*P {mapped(port)} B *C 1.5 2.5" for port in net.ports]
        lines += [f"*I {mapped(f'{inst}:{pin}')} B *C 3 4 *L 0.0\n*D cell" for inst, pin in net.pins]
        lines += ["*CAP // ground, then coupling"]
        own = [(a, None, v) for a, _, v in net.capacitors]
        own += [(a, b, v) for a, b, v in given.couplings if owner[a] == net.name]
        own += [(b, a, v) for a, b, v in given.couplings if owner[b] == net.name]
        for k, (a, b, value) in enumerate(own, 1):
            lines.append(f"{k} {mapped(a)}" + ("" if b is None else f" {mapped(b)}") + f" {value * 1e12!r}")
        lines += ["*RES"] + [
            f"{k} {mapped(a)}\n{mapped(b)} 9:{v / 1e3!r}:0.1" for k, (a, b, v) in enumerate(net.resistors)
        ]
        lines += ["*END"]
    return "\n".join(lines) + "\n/* the\nend */\n"


def _total(given, net):
    """All capacitance of a net, F."""
    owned = {node for a, b, _ in net.resistors for node in (a, b)}
    coupled = sum(value for a, b, value in given.couplings if not owned.isdisjoint((a, b)))
    return sum(value for *_, value in net.capacitors) + coupled


def _names(given):
    names = {net.name: None for net in given.nets}
    return names | {inst: None for net in given.nets for inst, _ in net.pins}
