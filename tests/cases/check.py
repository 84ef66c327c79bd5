#!/usr/bin/env python3
"""Holds every case against the oracle: the form of its file, then its values. Two answers meet here that share no code.

    check.py [FILE...]      all cases, or these; closes with `N passed, N failed`
    check.py --sentences    lists which sentences of DESIGN 4 to 6 are guarded, and by how many cases
"""

import argparse
import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from oracle.answers import Answers  # noqa: E402
from oracle.case_file import CASES, case_paths, definition_of, guarded, load, mistakes, sentences  # noqa: E402
from oracle.log import RunRefused  # noqa: E402
from oracle.values import format_timestamp, format_value, identity, parse_type, parse_value  # noqa: E402


def same_value(kind, expected, got, tolerance):
    if tolerance is None or expected is None or got is None:
        return identity(kind, expected) == identity(kind, got)
    return abs(got - expected) <= tolerance * abs(expected)


def wrong_answers(case, answers):
    for number, question in enumerate(case.get("questions", [])):
        for name, kind, value, status in answers.answers(question, question["expect"]):
            expected = question["expect"][name]
            wanted = parse_value(kind, expected["value"])
            if status != expected["status"] or not same_value(kind, wanted, value, expected.get("tolerance")):
                yield (f"question {number}, {name}: expected {expected['value']!r} {expected['status']}, "
                       f"the oracle says {format_value(kind, value)!r} {status}")
        if "service" in question:
            listed = [(view.name, view.version, name) for view, name in answers.service_features(question["service"])]
            asked = []
            for name in question["expect"]:
                view, _, rest = name.partition(":")
                feature, _, version = rest.partition("@v")
                asked.append((view, answers.view(view, int(version) if version else None).version, feature))
            if sorted(asked) != sorted(listed):
                yield f"question {number}: the service has {sorted(listed)}, expected are {sorted(asked)}"
    for name, text in case.get("types", {}).items():
        view, _, feature = name.partition(":")
        kind = answers.view(view).feature(feature).kind
        if kind != parse_type(text):
            yield f"types: {name} is {kind}, not {text}"


def wrong_emissions(case, answers):
    for name, expected in case.get("emitted", {}).items():
        view = answers.view(name)
        listed = [
            {
                "entity": entity,
                "window_start": format_timestamp(emission.start),
                "window_end": format_timestamp(emission.end),
                "event_timestamp": format_timestamp(emission.end),
                "created_timestamp": format_timestamp(emission.created),
                "revision": emission.revision,
                "tombstone": emission.tombstone,
                "values": values,
            }
            for entity, emission, values in view.emitted_rows()
        ]
        order = lambda row: (repr(sorted(row["entity"].items())), row["window_end"], row["revision"])  # noqa: E731
        if sorted(listed, key=order) != sorted(expected, key=order):
            yield f"emitted: {name}: the oracle says\n" + "\n".join(f"      - {row}" for row in sorted(listed, key=order))


def wrong_dead_letters(case, answers):
    expected = {
        source: sorted((letter["row"], letter["reason"]) for letter in letters)
        for source, letters in case.get("dead_letters", {}).items()
    }
    if expected != answers.dead_letters():
        yield f"dead letters: expected {expected}, the oracle says {answers.dead_letters()}"


def wrong_warnings(case, answers):
    expected = case.get("warnings", {}).get("labels_at_event_time")
    if expected is not None and (found := answers.labels_at_event_time(case["questions"])) != expected:
        yield f"warnings: expected {expected} labels at the time of an event, the oracle counts {found}"


def check(path, listed):
    """What is wrong with one case: its form, or where the oracle disagrees. Second: whether the oracle could speak."""
    try:
        text = path.read_text(encoding="utf-8")
        case = load(path)
        if found := mistakes(case, text, listed):
            return found, False
    except Exception as error:  # whatever a broken file makes the reader say
        return [f"{type(error).__name__}: {error}"], False
    if "oracle" in case:
        return [], False
    try:
        answers = Answers(definition_of(case), case.get("events", {}))
        if "error" in case:
            for question in case.get("questions", []):
                answers.answer_everything(question)
            return ["the oracle sees nothing to refuse; a mistake in a definition is marked `oracle: definition`"], True
        found = [*wrong_answers(case, answers), *wrong_emissions(case, answers), *wrong_dead_letters(case, answers), *wrong_warnings(case, answers)]
        return found, True
    except RunRefused as error:
        return ([] if "error" in case else [f"the oracle refuses the run: {error}"]), True
    except Exception as error:  # a case beyond the oracle is a mistake of the case, or of the oracle
        return [f"the oracle fails: {type(error).__name__}: {error}"], True


def print_sentences(listed):
    counts = collections.Counter()
    for path in case_paths():
        counts.update(guarded(load(path), listed))
    for sentence in listed:
        mark = counts[sentence["text"]] or ("-" if "elsewhere" in sentence else "none")
        print(f"{sentence['section']}  {mark:>4}  {sentence['text']}" + (f"  [{sentence['elsewhere']}]" if "elsewhere" in sentence else ""))
    left = [s for s in listed if not counts[s["text"]] and "elsewhere" not in s]
    print(f"{len(listed)} sentences, {sum(counts[s['text']] > 0 for s in listed)} guarded, {len(left)} not")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--sentences", action="store_true")
    options = parser.parse_args()
    listed = sentences()
    if options.sentences:
        print_sentences(listed)
        return 0
    passed = failed = computed = 0
    for path in [path.resolve() for path in options.files] or case_paths():
        found, spoke = check(path, listed)
        computed += spoke
        passed, failed = passed + (not found), failed + bool(found)
        for mistake in found:
            name = path.relative_to(CASES) if path.is_relative_to(CASES) else path
            print(f"{name}: {mistake}")
    print(f"the oracle computed {computed} of {passed + failed} cases; of the others only the form was checked")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
