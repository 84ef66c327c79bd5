"""A whole case: its definition over its events, and what every question is answered."""

from .log import read_source
from .sql import tokens_of
from .values import parse_timestamp, parse_type, parse_value
from .views import View, apply_steps, features_of, run_steps, served_features


def reference(text):
    """`view:feature@v2` -> (view, feature or None, version or None)."""
    text, _, version = text.partition("@v")
    view, _, feature = text.partition(":")
    return view, feature or None, int(version) if version else None


class OnDemandView:
    """Features of other views after defaults (statuses do not travel), request fields and request_timestamp -> features."""

    def __init__(self, document, answers):
        self.document, self.name = document, document["name"]
        self.version = document.get("version", 1)
        self.on_error = document.get("on_error") or "null"
        self.inputs, columns = {}, {"request_timestamp": ("timestamp",)}
        for column, text in {**(document.get("inputs") or {}), **self.named_in_sql()}.items():
            view, feature, version = reference(text)
            if view in answers.request_fields:
                columns[column] = answers.request_fields[view][feature]
                self.inputs[column] = (None, feature)
            else:
                upstream = answers.view(view, version)
                columns[column] = upstream.feature(feature).kind
                self.inputs[column] = (upstream, feature)
        before = set(columns)
        self.steps = run_steps(document.get("transforms"), columns)
        self.features = features_of(document, columns, [name for name in columns if name not in before])

    def named_in_sql(self):
        """`{{view.feature}}` in SQL text needs no entry among the inputs."""
        texts = [str(text) for step in self.document.get("transforms") or [] for text in step.get("sql", {}).values()]
        references = {"".join(text.split()) for sql in texts for kind, text in tokens_of(sql) if kind == "ref"}
        return {text: text[2:-2].replace(".", ":", 1) for text in references}

    def feature(self, name):
        return next(feature for feature in self.features if feature.name == name)

    def answered(self, question):
        row = {"request_timestamp": question.t}
        for column, (upstream, name) in self.inputs.items():
            row[column] = question.request[name] if upstream is None else question.answered(upstream)[name][0]
        apply_steps(self.steps, row, self)
        return served_features(self, row)


class Question:
    def __init__(self, plain, answers):
        self.t = parse_timestamp(plain["at"])
        self.known = {}
        self.entity = plain.get("entity") or {}
        kinds = {name: kind for fields in answers.request_fields.values() for name, kind in fields.items()}
        self.request = {name: parse_value(kinds[name], value) for name, value in (plain.get("request") or {}).items()}

    def answered(self, view):
        """{feature: (value, status)} of a view of either kind."""
        key = (view.name, view.version)
        if key not in self.known:
            if isinstance(view, OnDemandView):
                self.known[key] = view.answered(self)
            else:
                self.known[key] = view.answer([parse_value(kind, self.entity[name]) for name, kind in view.keys], self.t)
        return self.known[key]


class Answers:
    """A definition over its events. Raises RunRefused where `refuse` or `fail` stops the run."""

    def __init__(self, definition, events):
        self.definition = definition
        entities = {entity["name"]: entity for entity in definition.get("entities", [])}
        listed = definition.get("sources", [])
        self.request_fields = {
            source["name"]: {field["name"]: parse_type(field["type"]) for field in source["fields"]}
            for source in listed
            if source.get("kind") == "request"
        }
        self.sources = {
            source["name"]: read_source(source, events.get(source["name"], []))
            for source in listed
            if source.get("kind", "event") == "event"
        }
        self.views = {}
        for document in definition.get("feature_views", []):
            view = View(document, entities, self.sources[document["source"]])
            self.views[view.name, view.version] = view
        self.waiting = {(d["name"], d.get("version", 1)): d for d in definition.get("on_demand_feature_views", [])}
        for name, version in self.waiting:
            self.view(name, version)

    def view(self, name, version=None):
        """Without a version the greatest; on-demand views are made when first asked for, whatever their order."""
        known = [v for n, v in [*self.views, *self.waiting] if n == name]
        key = (name, version or max(known))
        if key not in self.views:
            self.views[key] = OnDemandView(self.waiting[key], self)
        return self.views[key]

    def service_features(self, name):
        """[(view, feature name)] of a service, in its order; a view alone stands for all its features."""
        service = next(s for s in self.definition["feature_services"] if s["name"] == name)
        found = []
        for text in service["features"]:
            view, feature, version = reference(text)
            view = self.view(view, version)
            found += [(view, f.name) for f in view.features if feature in (None, f.name)]
        return found

    def answers(self, plain_question, wanted):
        """What each `view:feature` or `view:feature@vN` is answered: [(name, type, value, status)]."""
        question, found = Question(plain_question, self), []
        for name in wanted:
            view, feature, version = reference(name)
            view = self.view(view, version)
            found.append((name, view.feature(feature).kind, *question.answered(view)[feature]))
        return found

    def answer_everything(self, plain_question):
        """What a run that is to be refused is asked: all that its entity's keys can be asked."""
        question = Question(plain_question, self)
        for view in self.views.values():
            if isinstance(view, OnDemandView) or all(name in question.entity for name, _ in view.keys):
                question.answered(view)

    def labels_at_event_time(self, plain_questions):
        """How many labels have the entity and the very time of an event whose source has no created_timestamp."""
        views = [view for view in self.views.values() if isinstance(view, View) and not {"created_timestamp", "broker_timestamp"} & set(view.source.document)]
        return sum(any(view.has_event_at(Question(plain, self)) for view in views) for plain in plain_questions)

    def dead_letters(self):
        """{source: sorted [(row, reason)]}."""
        found = {name: list(source.dead_letters) for name, source in self.sources.items()}
        for view in self.views.values():
            if isinstance(view, View):
                found[view.source.name] += [(index, f"join_key:{view.name}") for index in view.key_errors]
        return {name: sorted(letters) for name, letters in found.items() if letters}
