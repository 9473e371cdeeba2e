"""An answer that must fit a JSON schema or a grammar does, whatever the model would rather have written."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from support.gguf_files import CONTROL, write_model
from support.workers import GREEDY, Answer, ask, engine_with

from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.grammar import check_grammar
from models.runtime.json_schema import FREE_JSON, grammar_of
from models.runtime.values import Sampling

PERSON: dict[str, Any] = {
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20, "description": "As on the passport."},
        "age": {"type": ["integer", "null"]},
        "likes": {"type": "array", "items": {"enum": ["tea", 'the "sea"', "\\ and ü", 7]}, "maxItems": 3},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
LIST: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "boolean"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "next"],
        }
    },
    "$ref": "#/$defs/node",
}  # fmt: skip


def random_schema(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    """A schema whose values are small, so that a model that writes at random comes to an end."""
    simple = ["string", "number", "integer", "boolean", "null", "enum", "const", "types"]
    kind = dice.choice(
        simple if depth > 2 else [*simple, "object", "object", "array", "array", "map", "anyOf", "oneOf"]
    )
    match kind:
        case "string":
            least = dice.randrange(3)
            return {"type": "string", "minLength": least, "maxLength": least + dice.randrange(4)}
        case "enum":
            return {"enum": dice.sample(["a", "ü\n", '"', 1, 2.5, None, True, [1, "x"], {"k": []}], 3)}
        case "const":
            return {"const": dice.choice(["yes", -3, {"a": "b"}])}
        case "types":
            return {"type": dice.sample(["integer", "number", "boolean", "null"], 2)}
        case "array":
            least = dice.randrange(3)
            limits = {"minItems": least, "maxItems": least + dice.randrange(3)}
            return {"type": "array", "items": random_schema(dice, depth + 1), **limits}
        case "map":
            return {"type": "object", "additionalProperties": False}
        case "object":
            names = dice.sample(["a", "b b", 'c"', "ü"], dice.randrange(4))
            return {
                "type": "object",
                "properties": {name: random_schema(dice, depth + 1) for name in names},
                "required": [name for name in names if dice.random() < 0.5],
                **({"additionalProperties": False} if dice.random() < 0.5 else {}),
            }
        case "anyOf":
            return {"anyOf": [random_schema(dice, depth + 1) for _ in range(2)]}
        case "oneOf":
            return {"oneOf": [{"type": "integer"}, {"type": "boolean"}, {"const": "other"}]}
    return {"type": kind}


def valid(value: Any, schema: dict[str, Any], whole: dict[str, Any]) -> bool:
    """What JSON Schema says of the keywords in these tests, written down once more and independently."""
    if "$ref" in schema:
        return valid(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return any(valid(value, choice, whole) for choice in schema["anyOf"])
    if "oneOf" in schema:
        return sum(valid(value, choice, whole) for choice in schema["oneOf"]) == 1
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return any(json.dumps(value) == json.dumps(one) for one in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    true_of = {
        "object": isinstance(value, dict), "array": isinstance(value, list), "string": isinstance(value, str),
        "number": number, "integer": number and value == int(value),
        "boolean": isinstance(value, bool), "null": value is None,
    }  # fmt: skip
    if not any(true_of[kind] for kind in kinds):
        return False
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return (
            set(schema.get("required", [])) <= value.keys()
            and (schema.get("additionalProperties", True) is not False or value.keys() <= properties.keys())
            and all(valid(value[name], properties[name], whole) for name in value.keys() & properties.keys())
        )
    if isinstance(value, list):
        fits: bool = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99)
        return fits and all(valid(item, schema["items"], whole) for item in value)
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6))
    return True


def wild(seed: int) -> Sampling:
    """Whatever comes to the mind of a model with random weights."""
    return Sampling(temperature=2.0, top_k=0, top_p=1.0, min_p=0.0, seed=seed)


def write(runner: asyncio.Runner, engine: Engine, grammar: str, sampling: Sampling = GREEDY) -> Answer:
    return runner.run(ask(engine, "Who?", sampling, 400, grammar))


def test_whatever_a_model_writes_under_a_schema_parses_and_is_valid(
    runner: asyncio.Runner, tiny_engine: Engine
) -> None:
    dice = random.Random(11)
    schemas = [PERSON, LIST, *(random_schema(dice) for _ in range(40))]
    ended = 0
    for number, schema in enumerate(schemas):
        answer = write(runner, tiny_engine, grammar_of(json.dumps(schema)), wild(number))
        if answer.completed.reason is not StopReason.STOP:
            continue  # cut off: nobody can promise that half a text is JSON
        ended += 1
        value = json.loads(answer.text)
        assert valid(value, schema, schema), (schema, answer.text)
    assert ended >= len(schemas) - 4


def test_any_json_is_an_object_or_a_list(runner: asyncio.Runner, engine: Engine) -> None:
    answer = runner.run(ask(engine, "List three colours.", GREEDY, 60, FREE_JSON))
    assert answer.text[0] in "{["


def test_a_model_that_keeps_to_the_grammar_by_itself_writes_what_it_would_have_written(
    runner: asyncio.Runner, engine: Engine
) -> None:
    free = runner.run(ask(engine, "What is the capital of France? One word.", GREEDY, 16))
    held = runner.run(ask(engine, "What is the capital of France? One word.", GREEDY, 16, "root ::= .*"))
    assert held.text == free.text


def test_a_grammar_is_kept_to_and_the_next_answer_is_free_again(
    runner: asyncio.Runner, tiny_engine: Engine
) -> None:
    held = write(runner, tiny_engine, 'root ::= ("yes" | "no") "!"{2}', wild(3))
    assert held.text in ("yes!!", "no!!") and held.completed.reason is StopReason.STOP
    assert not write(runner, tiny_engine, "", wild(3)).text.startswith(("yes!!", "no!!"))


def test_thinking_is_free_and_the_answer_after_it_keeps_to_the_grammar(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    control = (*CONTROL, "<think>", "</think>")
    template = (
        "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}<think>"
    )
    path = write_model(tmp_path / "thinks.gguf", control=control, template=template, context=1024)

    async def think() -> list[Answer]:
        async with engine_with(path) as engine:
            return [
                await ask(engine, "Is it?", wild(seed), 700, 'root ::= "yes" | "no"') for seed in range(5)
            ]

    answers = runner.run(think())
    assert all(answer.text in ("", "yes", "no") for answer in answers)
    assert any(answer.text and len(answer.reasoning) > 20 for answer in answers)


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "string", "pattern": "a+"}, "pattern"),
        ({"type": "integer", "minimum": 3}, "minimum"),
        ({"allOf": [{"type": "string"}]}, "allOf"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
        ({"$ref": "#"}, "$ref"),
        ({"$ref": "https://example.org/schema.json"}, "$ref https://example.org/schema.json"),
        ({"type": "string", "maxLength": 5000}, "maxLength > 1000"),
        ({"properties": {"a": {"not": {}}}}, "not"),
        ({"anyOf": [{"type": "string"}], "minLength": 3}, "minLength + anyOf"),
    ],
)
def test_what_a_grammar_cannot_promise_is_refused_by_its_name(schema: object, what: str) -> None:
    with pytest.raises(RuntimeFault) as caught:
        grammar_of(json.dumps(schema))
    assert caught.value.fault is Fault.SCHEMA_UNSUPPORTED and caught.value.facts["what"] == what


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", '{"type": "text"}', '{"enum": []}', '{"$ref": "#/$defs/none"}', '{"const": NaN}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(RuntimeFault) as caught:
        grammar_of(text)
    assert caught.value.fault is Fault.SCHEMA_BROKEN


def test_choices_that_exclude_each_other_may_be_one_of() -> None:
    circle = {
        "type": "object",
        "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
        "required": ["kind"],
    }
    square = {
        "type": "object",
        "properties": {"kind": {"enum": ["square"]}, "a": {"type": "number"}},
        "required": ["kind"],
    }
    assert grammar_of(json.dumps({"oneOf": [circle, square]}))
    del square["required"]
    with pytest.raises(RuntimeFault):
        grammar_of(json.dumps({"oneOf": [circle, square]}))


@pytest.mark.parametrize(
    ("grammar", "what"),
    [
        ("", "root"),
        ('answer ::= "a"', "root"),
        ("root ::= other", "undefined"),
        ('root ::= "a', "syntax"),
        ('root = "a"', "syntax"),
        ("root ::= [z-a]", "syntax"),
        ("root ::= []", "syntax"),
        ('root ::= ("a"', "syntax"),
        ('root ::= "a")', "syntax"),
        ('root ::= "a"{5,2}', "syntax"),
        ("root ::= <think>", "syntax"),
        ('root ::= "\0"', "syntax"),
        ('root ::= root "a" | "b"', "recursion"),
        ('root ::= a root | "x"\na ::= "y"?', "recursion"),
        ('root ::= (("a"?)*)*', "empty"),
        ('root ::= ""*', "empty"),
        ('root ::= "a"{1,100000}', "large"),
        ("root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000, "large"),
        ('root ::= "a"\n' + "# a comment\n" * 40_000, "large"),
    ],
)
def test_a_grammar_that_llama_cpp_would_choke_on_is_refused_and_the_model_stays(
    runner: asyncio.Runner, tiny_engine: Engine, grammar: str, what: str
) -> None:
    with pytest.raises(RuntimeFault) as caught:
        check_grammar(grammar)
    assert caught.value.fault is Fault.GRAMMAR_BROKEN and caught.value.facts["what"] == what
    if grammar:  # the worker trusts nobody, so it looks as well
        before = tiny_engine.pid
        with pytest.raises(RuntimeFault) as refused:
            write(runner, tiny_engine, grammar)
        assert refused.value.fault is Fault.GRAMMAR_BROKEN and tiny_engine.pid == before


def test_grammars_of_all_kinds_are_read(runner: asyncio.Runner, tiny_engine: Engine) -> None:
    for grammar in (
        'root ::= "a" | # a comment\n  "b"',
        'root ::= [^a-z\\n\\]"\\x41-\\x43é\\u00e9-\\U0001F600-]{3}',
        'root ::= ( # in here\n "x"\n | . )+ end\n\nend ::= "\\"" [0-9]{2,} "\\\\"\r\n',
        "root ::= item-1{0,3} item-1 other\nitem-1 ::= [xy]\nother ::= | item-1",
    ):
        check_grammar(grammar)
        assert runner.run(ask(tiny_engine, "Go.", wild(1), 6, grammar)).completed.generated_tokens > 0
