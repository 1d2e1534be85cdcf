"""Disjoint groups of names (union-find)."""

from __future__ import annotations

from collections.abc import Iterable


class Groups:
    """Names in disjoint groups; a name that was never joined is a group of its own."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The name that stands for the group of ``name``."""
        root = name
        while (above := self._parent.get(root, root)) != root:
            root = above
        while (above := self._parent.get(name, name)) != root:
            self._parent[name] = root
            name = above
        return root

    def join(self, a: str, b: str) -> bool:
        """Make the groups of ``a`` and ``b`` one; False where they already were."""
        a, b = self.of(a), self.of(b)
        self._parent[b] = a
        self._parent.setdefault(a, a)
        return a != b

    def sets(self, names: Iterable[str]) -> list[list[str]]:
        """All groups of ``names`` in the order of their first one."""
        held: dict[str, list[str]] = {}
        for name in names:
            held.setdefault(self.of(name), []).append(name)
        return list(held.values())
