"""All that was decorated, in the order of the code."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .failure import DefinitionError

if TYPE_CHECKING:
    from .aggregate import Aggregate
    from .transform import Transform


@dataclass
class Registry:
    """The transforms and aggregates of a module."""

    transforms: "list[Transform]" = field(default_factory=list)
    aggregates: "list[Aggregate]" = field(default_factory=list)

    def check(self) -> None:
        """Refuses a module that offers nothing, or two things of one name."""
        offered = [("transform", t) for t in self.transforms]
        offered += [("aggregate", a) for a in self.aggregates]  # type: ignore[misc]
        if not offered:
            raise DefinitionError(
                "no function is decorated with @unskew.transform and no class with "
                "@unskew.aggregate, so there is nothing to offer; decorate at least one"
            )
        seen: dict[str, str] = {}
        for kind, one in offered:
            if one.name in seen:
                raise DefinitionError(
                    f"{one.place}: {kind} {one.name}: the name is taken by {seen[one.name]}; "
                    "rename one, or give name=... to its decorator"
                )
            seen[one.name] = f"the {kind} in {one.place}"


registry = Registry()
