"""What every named object of a definition has."""

from collections.abc import Mapping
from typing import Any

from ..hints import is_name
from .place import doubt, kind_of, mistake


class Described:
    """A named object: its place in the code, its description, owner and tags."""

    def __init__(
        self,
        kind: str,
        name: Any,
        at: str,
        description: Any,
        owner: Any,
        tags: Any,
    ) -> None:
        self.kind = kind
        self.at = at
        if not isinstance(name, str):
            mistake(at, f"{kind}: its name is {kind_of(name)}; give a text")
            name = str(name)
        elif not is_name(name):
            doubt(
                at,
                f"{kind} {name!r}: the name is not allowed: use at most 128 ASCII letters, digits "
                "and underscores, beginning with a letter or underscore",
            )
        self.name: str = name
        about = About(at, f"{kind} {name}", description, owner, tags)
        self._about = about

    @property
    def what(self) -> str:
        """`entity user`, for messages."""
        return f"{self.kind} {self.name}"

    def head(self) -> dict[str, Any]:
        """The first keys of its object in the document."""
        return {"name": self.name}

    def tail(self) -> dict[str, Any]:
        """The last keys of its object in the document."""
        return self._about.document() | {"at": self.at}


class About:
    """Description, owner and tags."""

    def __init__(self, at: str, what: str, description: Any, owner: Any, tags: Any) -> None:
        self.description = self._text(at, what, "description", description)
        self.owner = self._text(at, what, "owner", owner)
        self.tags: dict[str, str] = {}
        if tags is None:
            return
        if not isinstance(tags, Mapping):
            mistake(at, f"{what}: tags is {kind_of(tags)}; give a mapping from texts to texts")
            return
        for key, value in tags.items():
            if isinstance(key, str) and isinstance(value, str):
                self.tags[key] = value
            else:
                mistake(
                    at,
                    f"{what}: tags: {kind_of(key)}: {kind_of(value)}; both are texts, as in "
                    "{'team': 'risk'}",
                )

    @staticmethod
    def _text(at: str, what: str, key: str, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            mistake(at, f"{what}: {key} is {kind_of(value)}; give a text")
            return ""
        return value

    def document(self) -> dict[str, Any]:
        """Those of the three that were given."""
        given: dict[str, Any] = {}
        if self.description:
            given["description"] = self.description
        if self.owner:
            given["owner"] = self.owner
        if self.tags:
            given["tags"] = self.tags
        return given
