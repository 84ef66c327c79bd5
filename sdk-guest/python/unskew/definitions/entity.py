"""Entities: what a feature describes."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..hints import Unsupported, column_type, shown_hint, split_optional
from ..registry import registry
from .described import Described
from .place import kind_of, mistake, place


class Entity(Described):
    """What features describe, such as a user, and the columns that tell one from another.

        user = Entity("user", join_keys="user_id")
        account = Entity("account", join_keys={"bank": str, "number": int})

    `join_keys` is a name or several, of text, or a mapping from names to types
    (as hints: `str`, `int`, `unskew.Int32`). The name of the entity itself,
    with `_id` behind it, if none are given.
    """

    def __init__(
        self,
        name: str,
        *,
        join_keys: str | Sequence[str] | Mapping[str, Any] | None = None,
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("entity", name, place(), description, owner, tags)
        self.join_keys: dict[str, str] = {}
        for key, hint in self._named(f"{name}_id" if join_keys is None else join_keys):
            try:
                inner, optional = split_optional(hint)
                if optional:
                    raise Unsupported("a key is never null")
                self.join_keys[key] = str(column_type(inner))
            except Unsupported as error:
                mistake(
                    self.at,
                    f"entity {name}: join key {key}: the type `{shown_hint(hint)}` is not "
                    f"supported: {error}; give it such as str or int",
                )
        registry.entities.append(self)

    def _named(self, keys: Any) -> list[tuple[str, Any]]:
        if isinstance(keys, str):
            return [(keys, str)]
        if isinstance(keys, Mapping):
            return list(keys.items())
        if isinstance(keys, Sequence) and all(isinstance(key, str) for key in keys):
            return [(key, str) for key in keys]
        mistake(
            self.at,
            f"entity {self.name}: join_keys is {kind_of(keys)}; give a name, a list of names, or "
            "a mapping from names to types, such as {'user_id': str}",
        )
        # As if none were given, so that nothing more is said of them.
        return [(f"{self.name}_id", str)]

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        keys = [{"name": name, "type": type_} for name, type_ in self.join_keys.items()]
        return self.head() | {"join_keys": keys} | self.tail()

