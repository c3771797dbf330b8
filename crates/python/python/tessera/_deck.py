"""Decks."""
from __future__ import annotations

import json
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, Iterable, Mapping, Optional, Union

from . import _native
from ._native import InputError


@dataclass(frozen=True)
class Parameter:
    """A number that a deck's formulas use."""

    name: str
    default: float
    #: Smallest and largest value, if it varies in a range.
    range: Optional[tuple[float, float]]
    #: The values that it may have instead, by name.
    choices: Optional[Mapping[str, float]]
    unit: str
    meaning: str


class Deck:
    """The input of a run, read and checked. Local: any rank may read one.

    :param path: the TOML file.
    :param set: overrides, as ``{"parameters.k.default": 2}`` or ``["parameters.k.default=2"]``.
    :raises InputError: names every fault with file, line and key.
    """

    def __init__(self, path: Union[str, PathLike[str]], set: Union[Mapping[str, Any], Iterable[str]] = ()) -> None:
        self._native = _native.Deck.read(fspath(path), _overrides(set))

    @classmethod
    def parse(cls, text: str, name: str = "deck.toml", set: Union[Mapping[str, Any], Iterable[str]] = ()) -> Deck:
        """A deck from its text; files that it names are looked for beside ``name``."""
        return cls._of(_native.Deck.parse(text, name, _overrides(set)))

    @classmethod
    def _of(cls, native: Any) -> Deck:
        deck = cls.__new__(cls)
        deck._native = native
        return deck

    @property
    def title(self) -> str:
        """One line for people."""
        return self._native.title

    @property
    def is_in_time(self) -> bool:
        """Whether it is a run in time, for :meth:`Simulation.run`; otherwise it is steady."""
        return self._native.is_in_time

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Parameters by name, in the deck's order."""
        rows = (Parameter(name, default, range and tuple(range), choices and dict(choices), unit, meaning)
                for name, default, range, choices, unit, meaning in self._native.parameters())
        return {row.name: row for row in rows}

    @property
    def fields(self) -> list[str]:
        """Names of all fields: solutions, what follows from them, random fields."""
        return self._native.fields()

    @property
    def quantities(self) -> list[str]:
        """Names of the quantities of interest."""
        return self._native.quantities()

    @property
    def notes(self) -> list[str]:
        """Warnings: what is allowed, but hardly meant."""
        return self._native.notes()

    def to_toml(self) -> str:
        """The deck with overrides and defaults, as TOML."""
        return self._native.to_toml()

    def __repr__(self) -> str:
        return f"<tessera.Deck {self.title!r}: {', '.join(self.fields)}>"


def _overrides(given: Union[Mapping[str, Any], Iterable[str]]) -> list[str]:
    if isinstance(given, str):
        raise InputError('set: expected a list such as ["solver.tolerance=1e-10"], found a string')
    if isinstance(given, Mapping):
        # Numbers, words, lists: JSON's are TOML's.
        return [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]
    return list(given)
