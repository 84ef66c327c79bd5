"""All that was decorated and defined, in the order of the code."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .failure import DefinitionError

if TYPE_CHECKING:
    from .aggregate import Aggregate
    from .definitions.entity import Entity
    from .definitions.on_demand import OnDemandFeatureView
    from .definitions.service import FeatureService
    from .definitions.source import RequestSource, Source
    from .definitions.view import FeatureView
    from .transform import Transform


@dataclass
class Registry:
    """The transforms, aggregates and definitions of a module."""

    transforms: "list[Transform]" = field(default_factory=list)
    aggregates: "list[Aggregate]" = field(default_factory=list)
    entities: "list[Entity]" = field(default_factory=list)
    sources: "list[Source | RequestSource]" = field(default_factory=list)
    feature_views: "list[FeatureView]" = field(default_factory=list)
    on_demand_feature_views: "list[OnDemandFeatureView]" = field(default_factory=list)
    feature_services: "list[FeatureService]" = field(default_factory=list)
    # Whether mistakes are kept until all has been read, instead of raised at once.
    collecting: bool = False
    mistakes: list[str] = field(default_factory=list)
    # The functions and classes whose decorators refused them.
    refused: list[Any] = field(default_factory=list)

    def refuse(self, target: Any, error: DefinitionError) -> None:
        """Takes note of a function or class that cannot be offered, or raises."""
        if not self.collecting:
            raise error
        self.mistakes.append(str(error))
        self.refused.append(target)

    def views(self) -> "list[FeatureView | OnDemandFeatureView]":
        """All views, of both kinds."""
        return [*self.feature_views, *self.on_demand_feature_views]

    def check(self) -> None:
        """Raises if there are mistakes, and tells all of them."""
        if mistakes := self.all_mistakes():
            raise DefinitionError("\n".join(mistakes))

    def all_mistakes(self) -> list[str]:
        """Those kept so far, a module that offers nothing, a name taken twice."""
        offered = [("transform", t) for t in self.transforms]
        offered += [("aggregate", a) for a in self.aggregates]  # type: ignore[misc]
        mistakes = list(self.mistakes)
        defined = [self.entities, self.sources, self.views(), self.feature_services]
        if not offered and not mistakes and not any(defined):
            mistakes.append(
                "no function is decorated with @unskew.transform and no class with "
                "@unskew.aggregate or @unskew.feature_view, so there is nothing to offer; decorate "
                "at least one"
            )
        seen: dict[str, str] = {}
        for kind, one in offered:
            if one.name in seen:
                mistakes.append(
                    f"{one.place}: {kind} {one.name}: the name is taken by {seen[one.name]}; "
                    "rename one, or give name=... to its decorator"
                )
            seen[one.name] = f"the {kind} in {one.place}"
        return mistakes


registry = Registry()
