"""Reads case files as YAML 1.2 reads them, and says what is wrong with their form."""

import pathlib
import re

import yaml

CASES = pathlib.Path(__file__).resolve().parent.parent
KEYS = {"guards", "definition", "events", "questions", "types", "emitted", "dead_letters", "warnings", "error", "label_types", "oracle"}
STATUSES = {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE", "ERROR"}
REASONS = re.compile(r"late|duplicate|event_timestamp|created_timestamp|join_key:\w+")
EMITTED = {"entity", "window_start", "window_end", "event_timestamp", "created_timestamp", "revision", "tombstone", "values"}


class CaseLoader(yaml.SafeLoader):
    """The core schema of YAML 1.2 alone (no dates, no `yes`, no `1_000`, no octals), and no key twice."""

    yaml_implicit_resolvers: dict = {}

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias in line {self.peek_event().start_mark.line + 1}; write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.YAMLError(f"a key stands twice in the map of line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


CaseLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)$"), None)
CaseLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$"), None)
CaseLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9]\d*)$"), None)
CaseLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?$"), None)
CaseLoader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, CaseLoader)


def case_paths():
    return sorted(path for path in CASES.rglob("*.yaml") if path.parent not in (CASES, CASES / "shared"))


def sentences():
    return load(CASES / "sentences.yaml")


def plain_words(text):
    return text.replace("*", "").replace("`", "")


def guarded(case, listed):
    """The sentences that a case names: `DESIGN 5: some words of them`, one or a list. Raises where no sentence has them."""
    found = []
    for text in case["guards"] if isinstance(case["guards"], list) else [case["guards"]]:
        match = re.fullmatch(r"DESIGN ([456]): (.+)", text)
        own = [sentence for sentence in listed if match and sentence["section"] == int(match[1])]
        begin = " ".join(plain_words(sentence["text"]) for sentence in own).find(plain_words(match[2])) if own else -1
        if begin < 0:
            raise ValueError(f"guards: no sentence of sentences.yaml holds {text!r}")
        end, at = begin + len(plain_words(match[2])), 0
        for sentence in own:
            after = at + len(plain_words(sentence["text"]))
            if begin < after and at < end:
                found.append(sentence["text"])
            at = after + 1
    return found


def definition_of(case):
    """Inline, or `shared/x.yaml` beside the folders."""
    return load(CASES / case["definition"]) if isinstance(case["definition"], str) else case["definition"]


def mistakes(case, text, listed):
    """What is wrong with a file's form, as sentences."""
    if not isinstance(case, dict):
        return ["it is not a map"]
    found = [f"unknown key {key}" for key in set(case) - KEYS]
    found += [f"{key} is missing" for key in ("guards", "definition") if key not in case]
    if found:
        return found
    try:
        guarded(case, listed)
    except ValueError as error:
        found.append(str(error))
    if not re.search(r"^#.*\b([Bb]y hand|[Oo]racle)\b", text, re.M) and "error" not in case:
        found.append("no comment says how its values were found (by hand, or oracle)")
    if "error" not in case and not (case.get("questions") or "emitted" in case or "dead_letters" in case):
        found.append("it expects nothing")
    if "error" in case and any("expect" in question for question in case.get("questions", [])):
        found.append("a case with an error answers no question")
    for number, question in enumerate(case.get("questions", [])):
        found += [f"question {number}: {mistake}" for mistake in question_mistakes(question, "error" in case)]
    for view, rows in case.get("emitted", {}).items():
        found += [f"emitted: {view}: row {i} has other keys than {sorted(EMITTED)}" for i, row in enumerate(rows) if set(row) != EMITTED]
    for letters in case.get("dead_letters", {}).values():
        found += [f"dead letter {letter}" for letter in letters if set(letter) != {"row", "reason"} or not REASONS.fullmatch(letter["reason"])]
    return found


def question_mistakes(question, refused):
    found = [f"unknown key {key}" for key in set(question) - {"at", "entity", "request", "service", "expect"}]
    if not isinstance(question.get("at"), str):
        found.append("`at` is not a quoted time")
    if not refused and not question.get("expect"):
        found.append("it expects nothing")
    for name, answer in question.get("expect", {}).items():
        if not isinstance(answer, dict) or not {"value", "status"} <= set(answer) <= {"value", "status", "tolerance"}:
            found.append(f"{name}: an answer has value, status and perhaps tolerance")
        elif answer["status"] not in STATUSES:
            found.append(f"{name}: no such status as {answer['status']}")
        elif not re.fullmatch(r"\w+:\w+(@v\d+)?", name):
            found.append(f"{name} is not view:feature")
    return found
