"""Numbers, assignments and arithmetic of SPICE parameters, evaluated without a simulator."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

from netlists.errors import InputError
from netlists.spice_number import spice_number

_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)\s*")
_EXPRESSION = re.compile(r"\{[^{}]*\}|'[^']*'")
_MAX_LENGTH = 2000
"""Longest expression, in characters."""
_MAX_DEPTH = 64
"""Longest chain of parameters that refer to each other."""


def assignments(text: str) -> dict[str, str]:
    """The ``name=value`` pairs of a card, names in lower case; a value is what stands before the next name."""
    plain = _EXPRESSION.sub(lambda match: "_" * len(match.group()), text)
    found = list(_ASSIGNED.finditer(plain))
    ends = [m.start() for m in found[1:]] + [len(text)] * bool(found)
    return {m.group(1).lower(): _closed(text[m.end() : end]) for m, end in zip(found, ends, strict=True)}


def _closed(value: str) -> str:
    """``value`` without the commas and the closing parenthesis of the list that it stands in."""
    value = value.strip().rstrip(",").strip()
    return value.removesuffix(")").strip() if value.count(")") > value.count("(") else value


def _nominal(mean: float, *_: float) -> float:
    return mean


_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "ln": math.log, "log": math.log, "log10": math.log10, "abs": abs,
    "min": min, "max": max, "pow": math.pow, "agauss": _nominal, "gauss": _nominal,
}  # fmt: skip
_OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: math.pow, ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip


class Parameters:
    """Parameters by name, evaluated as they are asked for: ``texts`` by name, and ``given`` values that go first.

    Random functions (``agauss``, ``gauss``) have their mean.
    """

    def __init__(self, texts: Mapping[str, str], given: Mapping[str, float]) -> None:
        self._texts, self._values, self._depth = dict(texts), dict(given), 0

    def value(self, text: str) -> float:
        """The value of an expression. Raises :class:`InputError` on anything but arithmetic of known parameters."""
        plain = spice_number(text.strip())
        if plain is not None:
            return plain
        body = text.replace("{", "(").replace("}", ")").replace("'", "").replace("^", "**").strip().lower()
        if len(body) > _MAX_LENGTH:
            raise InputError(f"expression of {len(body)} characters: shorten it")
        try:
            return float(self._evaluate(ast.parse(body, mode="eval").body))
        except (SyntaxError, ValueError, OverflowError, ZeroDivisionError, RecursionError, TypeError) as error:
            raise InputError(f"expression '{text[:80]}' cannot be evaluated ({type(error).__name__})") from None

    def _evaluate(self, node: ast.AST) -> float:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return float(node.value)
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](self._evaluate(node.left), self._evaluate(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](self._evaluate(node.operand))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            return _FUNCTIONS[node.func.id](*(self._evaluate(argument) for argument in node.args))
        raise ValueError(type(node).__name__)

    def _named(self, name: str) -> float:
        if name not in self._values:
            if name not in self._texts:
                raise InputError(f"parameter '{name}' is not defined")
            if self._depth >= _MAX_DEPTH:
                raise InputError(f"parameter '{name}' refers to itself")
            self._depth += 1
            self._values[name] = self.value(self._texts[name])
            self._depth -= 1
        return self._values[name]
