"""From a JSON schema to a grammar of all its texts, for the part of JSON Schema (2020-12) that people use.

Every text of the grammar is valid against the schema; what can't be promised is refused, by its name. A schema may
allow more than its grammar does: properties come in the order they are declared, and none that is not declared.
What only describes ("title", "default", "format", …) changes nothing.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.grammar import MOST_REPEATS, ROOT, check_grammar
from models.runtime.values import Constraint, ConstraintKind

_DESCRIBING = frozenset(
    {
        *("title", "description", "default", "examples", "format", "deprecated", "readOnly", "writeOnly"),
        *("$schema", "$id", "$comment", "$defs", "definitions", "contentEncoding", "contentMediaType"),
    }
)
_KEYWORDS = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength"}),
    "number": frozenset[str](),
    "integer": frozenset[str](),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}
_ALONE = ("$ref", "anyOf", "oneOf", "const", "enum")
_DEEPEST = 64

_BASICS = {
    # Little white space, and only after "{", "[", ",", ":" and before "}", "]": a small model that may write it
    # anywhere would write nothing else.
    "space": r'(" " | "\n" [ \t]{0,20})?',
    "value": "object | array | string | number | boolean | null",
    "object": r'"{" space (pair ("," space pair)* space)? "}"',
    "pair": r'string ":" space value',
    "array": r'"[" space (value ("," space value)* space)? "]"',
    "string": r'"\"" (character | "\\u" [0-9a-fA-F]{4})* "\""',
    "character": r'[^"\\\x7F\x00-\x1F] | "\\" ["\\/bfnrt]',
    # Few enough digits that every program can read the number.
    "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
    "number": 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
}

FREE_JSON = "\n".join(
    (f"{ROOT} ::= object | array", *(f"{name} ::= {rule}" for name, rule in _BASICS.items()))
)
"""Any JSON object or list."""


def constraint_grammar(constraint: Constraint | None) -> str:
    """The grammar of a constraint; "" for none. Raises `RuntimeFault` as `grammar_of` and `check_grammar` do."""
    if constraint is None:
        return ""
    match constraint.kind:
        case ConstraintKind.JSON:
            return FREE_JSON
        case ConstraintKind.SCHEMA:
            return grammar_of(constraint.text)
        case ConstraintKind.GRAMMAR:
            check_grammar(constraint.text)
            return constraint.text


def grammar_of(text: str) -> str:
    """The grammar of a JSON schema, in GBNF. Raises `RuntimeFault`.

    SCHEMA_BROKEN when the text is no JSON schema; SCHEMA_UNSUPPORTED (fact `what`: the keyword or the use of one)
    when it says what a grammar can't.
    """
    try:
        schema = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RuntimeFault(Fault.SCHEMA_BROKEN, str(error)) from error
    if not isinstance(schema, dict | bool):
        raise RuntimeFault(Fault.SCHEMA_BROKEN, f"a {type(schema).__name__} is no schema")
    grammar = _Converter(schema).grammar()
    try:
        check_grammar(grammar)
    except RuntimeFault as fault:  # a reference that leads back to itself, or a schema of thousands of parts
        what = "$ref" if fault.facts.get("what") in ("recursion", "empty") else "size"
        raise _unsupported(what) from fault
    return grammar


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _unsupported(what: str) -> RuntimeFault:
    return RuntimeFault(Fault.SCHEMA_UNSUPPORTED, what, {"what": what})


def _broken(what: str) -> RuntimeFault:
    return RuntimeFault(Fault.SCHEMA_BROKEN, what)


class _Converter:
    """Makes a rule of each part of a schema. Names it gives have a number, so they never meet a basic rule's."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._rules = dict(_BASICS)
        self._numbers = itertools.count(1)
        self._references: dict[str, str] = {}

    def grammar(self) -> str:
        self._rules[ROOT] = self._rule(self._schema, 0)
        return "\n".join(f"{name} ::= {rule}" for name, rule in self._rules.items())

    def _new(self, rule: str) -> str:
        name = f"r{next(self._numbers)}"
        self._rules[name] = rule
        return name

    def _rule(self, schema: Any, depth: int) -> str:
        """The name of the rule for a schema."""
        if depth > _DEEPEST:
            raise _unsupported("depth")
        if schema is True:
            return "value"
        if schema is False:
            raise _unsupported("false")
        if not isinstance(schema, dict):
            raise _broken(f"a {type(schema).__name__} is no schema")
        said = [keyword for keyword in schema if keyword not in _DESCRIBING]
        alone = [keyword for keyword in said if keyword in _ALONE]
        if alone:
            return self._alone(schema, alone[0], said, depth)
        kinds = _kinds(schema, said)
        if not kinds:
            if said:
                raise _unsupported(said[0])
            return "value"
        allowed = {"type"}.union(*(_KEYWORDS[kind] for kind in kinds))
        for keyword in said:
            if keyword not in allowed:
                raise _unsupported(keyword)
        return self._any_of([self._of_kind(kind, schema, depth) for kind in kinds])

    def _any_of(self, names: Sequence[str]) -> str:
        return names[0] if len(names) == 1 else self._new(" | ".join(names))

    def _alone(self, schema: Mapping[str, Any], keyword: str, said: Iterable[str], depth: int) -> str:
        """A keyword that stands alone; beside a list of values there may be a type."""
        value = schema[keyword]
        for other in said:
            if other != keyword and not (other == "type" and keyword in ("const", "enum")):
                raise _unsupported(f"{other} + {keyword}")
        match keyword:
            case "$ref":
                return self._reference(value, depth)
            case "const":
                return self._literals([value], schema)
            case "enum":
                if not isinstance(value, list) or not value:
                    raise _broken("enum must be a list")
                return self._literals(value, schema)
        if not isinstance(value, list) or not value:
            raise _broken(f"{keyword} must be a list")
        if keyword == "oneOf" and not _exclude_each_other([self._resolved(choice) for choice in value]):
            raise _unsupported("oneOf")
        return self._any_of([self._rule(choice, depth + 1) for choice in value])

    def _reference(self, reference: Any, depth: int) -> str:
        if not isinstance(reference, str):
            raise _broken("$ref must be text")
        if reference not in self._references:
            self._references[reference] = name = f"ref{len(self._references) + 1}"
            self._rules[name] = self._rule(self._find(reference), depth + 1)
        return self._references[reference]

    def _find(self, reference: str) -> Any:
        """What a reference into this very schema means."""
        if reference == "#":
            return self._schema
        if not reference.startswith("#/"):  # nothing is fetched because a schema names it
            raise _unsupported(f"$ref {reference:.60}")
        found = self._schema
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise _broken(f"$ref {reference:.60} leads nowhere")
            found = found[key]
        return found

    def _resolved(self, schema: Any) -> Any:
        for _ in range(_DEEPEST):
            if not (isinstance(schema, dict) and isinstance(schema.get("$ref"), str)):
                break
            schema = self._find(schema["$ref"])
        return schema

    def _literals(self, values: Iterable[Any], schema: Mapping[str, Any]) -> str:
        kinds = _kinds(schema, ("type",)) if "type" in schema else list(_KEYWORDS)
        fitting = [value for value in values if _kinds_of_value(value) & set(kinds)]
        if not fitting:
            raise _unsupported("type + enum")
        texts = {_literal(_json(value)): 0 for value in fitting}
        return self._new(" | ".join(texts))

    def _of_kind(self, kind: str, schema: Mapping[str, Any], depth: int) -> str:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return self._string(schema)
        return kind

    def _string(self, schema: Mapping[str, Any]) -> str:
        if not {"minLength", "maxLength"} & schema.keys():
            return "string"
        repeats = _repeats(*_limits(schema, "minLength", "maxLength"))
        return self._new(f'"\\"" character{repeats} "\\""' if repeats else '"\\"\\""')

    def _array(self, schema: Mapping[str, Any], depth: int) -> str:
        least, most = _limits(schema, "minItems", "maxItems")
        if most == 0:
            return self._new('"[" space "]"')
        item = self._rule(schema.get("items", True), depth + 1)
        rest = _repeats(max(0, least - 1), None if most is None else most - 1)
        some = f'{item} ("," space {item}){rest} space' if rest else f"{item} space"
        return self._new(f'"[" space {some if least else f"({some})?"} "]"')

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        more = schema.get("additionalProperties", True)
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise _broken("properties and required")
        missing = [name for name in required if name not in properties]
        if missing and more is not True:
            raise _unsupported("required + additionalProperties")
        wanted = {**properties, **dict.fromkeys(map(str, missing), True)}
        if isinstance(more, dict) and properties:
            raise _unsupported("additionalProperties + properties")
        if not wanted:
            if more is False:
                return self._new('"{" space "}"')
            value = self._rule(more, depth + 1)
            pair = f'string ":" space {value}'
            return self._new(f'"{{" space ({pair} ("," space {pair})* space)? "}}"')
        pairs = [
            (f'{_literal(_json(name))} ":" space {self._rule(part, depth + 1)}',
             name in required)
            for name, part in wanted.items()
        ]  # fmt: skip
        return self._new(f'"{{" space {self._pairs(pairs)} space "}}"')

    def _pairs(self, pairs: Sequence[tuple[str, bool]]) -> str:
        """Properties in their order, the optional ones or not, with commas between those that are there.

        From the last to the first: what may follow when nothing has been written, and when something has.
        """
        first = after = ""
        for pair, required in reversed(pairs):
            with_first, with_after = f"{pair} {after}".strip(), f'"," space {pair} {after}'.strip()
            if required:
                first, after = self._new(with_first), self._new(with_after)
            else:
                first, after = (
                    self._new(f"{way} | {other}" if other else f"({way})?")
                    for way, other in ((with_first, first), (with_after, after))
                )
        return first


def _kinds(schema: Mapping[str, Any], said: Iterable[str]) -> list[str]:
    """The types a schema allows; those its keywords speak of when it names none."""
    named = schema.get("type")
    if named is None:
        return [kind for kind, keywords in _KEYWORDS.items() if keywords & set(said)][:1]
    kinds = named if isinstance(named, list) else [named]
    if not kinds or not all(isinstance(kind, str) and kind in _KEYWORDS for kind in kinds):
        raise _broken("type")
    return kinds


def _limits(schema: Mapping[str, Any], least_key: str, most_key: str) -> tuple[int, int | None]:
    least, most = schema.get(least_key, 0), schema.get(most_key)
    for key, limit in ((least_key, least), (most_key, most)):
        if limit is not None and (type(limit) is not int or limit < 0):
            raise _broken(key)
        if limit is not None and limit > MOST_REPEATS:
            raise _unsupported(f"{key} > {MOST_REPEATS}")
    if most is not None and most < least:
        raise _unsupported(f"{least_key} > {most_key}")
    return least, most


def _repeats(least: int, most: int | None) -> str:
    """The braces after a part; "" when it can't come at all."""
    if most == 0:
        return ""
    return f"{{{least},{'' if most is None else most}}}"


def _json(value: Any) -> str:
    """As short as it can be written, readable where it is text at all (half a surrogate pair is not)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() or text.encode("utf-8", "ignore").decode() == text else json.dumps(value)


def _literal(text: str) -> str:
    """A text as a grammar writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# ---- oneOf: exactly one of the choices may hold


def _exclude_each_other(choices: Sequence[Any]) -> bool:
    return all(_differ(one, other) for one, other in itertools.combinations(choices, 2))


def _differ(one: Any, other: Any) -> bool:
    """Whether no value can be valid against both, as far as that is plain to see."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    values, others = _values(one), _values(other)
    if values is not None and others is not None:
        return not {_key(value) for value in values} & {_key(value) for value in others}
    kinds, other_kinds = _possible_kinds(one), _possible_kinds(other)
    if not kinds & other_kinds:
        return True
    if kinds & other_kinds != {"object"}:
        return False
    for name in set(_names(one)) & set(_names(other)):
        if _differ(one["properties"][name], other["properties"][name]):
            return True
    return False


def _names(schema: Mapping[str, Any]) -> list[str]:
    """The properties that must be there and are described."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return []
    return [name for name in required if name in properties]


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _key(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 1.0 and 1 are the same number
    return json.dumps(value, sort_keys=True)


def _possible_kinds(schema: Mapping[str, Any]) -> set[str]:
    values = _values(schema)
    if values is not None:
        return set().union(*map(_kinds_of_value, values))
    if any(keyword in schema for keyword in _ALONE):
        return set(_KEYWORDS)
    kinds = set(_kinds(schema, schema)) or set(_KEYWORDS)
    return kinds | {"integer"} if "number" in kinds else kinds


def _kinds_of_value(value: Any) -> set[str]:
    match value:
        case None:
            return {"null"}
        case bool():
            return {"boolean"}
        case int():
            return {"integer", "number"}
        case float():
            return {"number", "integer"} if value.is_integer() else {"number"}
        case str():
            return {"string"}
        case list():
            return {"array"}
    return {"object"}
