"""How families of models write that they want a tool: what is between their markers, read into calls.

Everything read here was written by a model: it may be cut, wrong, or made to do harm. A reader gives the calls, or
None for what is no call; then it stays text. Nothing is ever carried out here.

The syntaxes were learnt from the families' own chat templates (models/templates of llama.cpp) and from what vLLM's
documentation says of its tool parsers.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from models.runtime.values import Tool

_MOST_CALLS = 64
_MOST_NAME = 200
_DEEPEST = 60  # brackets inside brackets: far above any real call, far below what Python's parsers can bear


class Request(NamedTuple):
    """One call as it was written. `arguments`: a JSON object as text. `id`: the model's own, mostly ""."""

    name: str
    arguments: str
    id: str = ""


Read = Callable[[str], list[Request] | None]
"""From what a model wrote between its markers to calls; None when that is none."""


def json_object(text: str) -> str | None:
    """A JSON object as text, once more; None for anything else."""
    try:
        value = _load(text)
        return _dump(value) if isinstance(value, dict) else None
    except ValueError:
        return None


def attempt(read: Read, text: str) -> list[Request] | None:
    """What a reader makes of a text; None for whatever it cannot bear."""
    try:
        return read(text)
    except (ValueError, RecursionError, MemoryError):
        return None


class Offered:
    """The tools of a request, as far as they help to understand what a model writes."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.names = frozenset(tool.name for tool in tools)
        self._properties = {tool.name: _properties(tool.parameters) for tool in tools}

    def value(self, tool: str, parameter: str, text: str) -> Any:
        """The value of a parameter that was written as bare text, by its type in the tool's schema."""
        schema = self._properties.get(tool, {}).get(parameter)
        kind = schema.get("type") if isinstance(schema, Mapping) else None
        if kind in (None, "string"):
            return text
        try:
            return _load(text)
        except ValueError:
            lowered = text.strip().lower()
            return {"true": True, "false": False, "none": None}.get(lowered, text)


def read_json(text: str) -> list[Request] | None:
    """`{"name": …, "arguments": {…}}`, or a list of such. The names of the two keys differ between families."""
    try:
        value = _load(text)
    except ValueError:
        return None
    entries = value if isinstance(value, list) else [value]
    found = [_from_entry(entry) for entry in entries[: _MOST_CALLS + 1]]
    calls = [call for call in found if call is not None]
    return calls if calls and len(calls) == len(found) <= _MOST_CALLS else None


def read_hermes(offered: Offered) -> Read:
    """JSON, or Qwen's `<function=name><parameter=key>value</parameter></function>`."""

    def read(text: str) -> list[Request] | None:
        return read_json(text) or _read_xml(text, offered)

    return read


def read_mistral(text: str) -> list[Request] | None:
    """` [{…}]`, or `name[CALL_ID]id[ARGS]{…}`, or `name{…}`."""
    head = _MISTRAL_HEAD.match(text)
    if head is None:
        return read_json(text)
    arguments = json_object(text[head.end() :])
    return None if arguments is None else [Request(head[1], arguments, head[2] or "")]


def read_llama(text: str) -> list[Request] | None:
    """After `<|python_tag|>`: JSON, or `name.call(key="value")`."""
    calls = read_json(text)
    if calls is not None:
        return calls
    called = read_python(text)
    if called is None:
        return None
    return [call._replace(name=call.name.removesuffix(".call")) for call in called]


def read_python(text: str) -> list[Request] | None:
    """`name(key="value", other=1)`, or a list of such. Only literal values; nothing is evaluated."""
    if _depth(text) > _DEEPEST:
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        entries = list(tree.elts) if isinstance(tree, ast.List | ast.Tuple) else [tree]
        calls = [_from_python(entry) for entry in entries[: _MOST_CALLS + 1]]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return calls if 0 < len(calls) <= _MOST_CALLS else None


def read_tool_code(text: str) -> list[Request] | None:
    """Gemma's `tool_code` block: Python calls, one a line, maybe printed."""
    calls: list[Request] = []
    for line in filter(str.strip, text.splitlines()):
        inside = re.fullmatch(r"\s*print\((.*)\)\s*", line)
        found = read_python(inside[1] if inside else line)
        if found is None:
            return None
        calls += found
    return calls if 0 < len(calls) <= _MOST_CALLS else None


def read_deepseek(text: str) -> list[Request] | None:
    """V3 and R1: `function<｜tool▁sep｜>name\\n```json\\n{…}\\n```; V3.1: `name<｜tool▁sep｜>{…}`; one or several."""
    calls: list[Request] = []
    for part in _DEEPSEEK_BEGIN.split(text)[1:]:
        body = _DEEPSEEK_END.split(part)[0]
        head, found, rest = _parted(body, _DEEPSEEK_SEP)
        if not found:
            return None
        fenced = _FENCED.fullmatch(rest)
        name, arguments = (fenced[1], fenced[2]) if fenced else (head, rest)
        read = json_object(arguments)
        if read is None or not _is_name(name.strip()):
            return None
        calls.append(Request(name.strip(), read))
    return calls if 0 < len(calls) <= _MOST_CALLS else None


def read_dsml(text: str) -> list[Request] | None:
    """DeepSeek V3.2 and V4: `<｜DSML｜invoke name="…"><｜DSML｜parameter name="…" string="true">…`."""
    calls: list[Request] = []
    for invoked in _DSML_INVOKE.finditer(text):
        arguments: dict[str, Any] = {}
        for name, is_text, value in _DSML_PARAMETER.findall(invoked[2]):
            try:
                arguments[name] = value if is_text == "true" else _load(value)
            except ValueError:
                arguments[name] = value
        calls.append(Request(invoked[1], _dump(arguments)))
    return calls if 0 < len(calls) <= _MOST_CALLS else None


def read_gemma(text: str) -> list[Request] | None:
    """Gemma 4: `call:name{key:<|"|>text<|"|>,other:[1,true]}`."""
    head = _GEMMA_HEAD.match(text)
    if head is None:
        return None
    try:
        value, end = _gemma_value(text, head.end() - 1, 0)
    except (ValueError, IndexError):
        return None
    if text[end:].strip() or not isinstance(value, dict):
        return None
    return [Request(head[1], _dump(value))]


_MISTRAL_HEAD = re.compile(
    r"\s*([\w.\-]{1,200})\s*(?:\[CALL_ID\]\s*([\w\-]{1,64})\s*)?(?:\[ARGS\])?\s*(?=\{)"
)
_DEEPSEEK_BEGIN = re.compile("<｜tool[▁_ ]call[▁_ ]begin｜>")
_DEEPSEEK_END = re.compile("<｜tool[▁_ ]call[▁_ ]end｜>")
_DEEPSEEK_SEP = re.compile("<｜tool[▁_ ]sep｜>")
_FENCED = re.compile(r"\s*([^\n`{]+?)\s*\n\s*```(?:json)?\s*\n?(.*?)\n?\s*```\s*", re.DOTALL)
_DSML_INVOKE = re.compile('<｜DSML｜invoke name="([^"]{1,200})">(.*?)</｜DSML｜invoke>', re.DOTALL)
_DSML_PARAMETER = re.compile(
    '<｜DSML｜parameter name="([^"]{1,200})" string="(true|false)">(.*?)</｜DSML｜parameter>', re.DOTALL
)
_GEMMA_HEAD = re.compile(r"\s*call:\s*([\w.\-]{1,200})\s*\{")
_GEMMA_QUOTE = '<|"|>'
_GEMMA_WORD = re.compile(r"[^,{}\[\]]+")
_FUNCTION = re.compile(r"<function=([^>\n]{1,200})>(.*?)</function>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\n]{1,200})>\n?(.*?)\n?</parameter>", re.DOTALL)


def _from_entry(entry: Any) -> Request | None:
    if not isinstance(entry, dict):
        return None
    inner = entry.get("function")
    if isinstance(inner, dict):
        entry = {**inner, "id": entry.get("id", "")}
    name = next(
        (entry[key] for key in ("name", "tool_name", "function") if isinstance(entry.get(key), str)), ""
    )
    keys = [key for key in ("arguments", "parameters", "args") if key in entry]
    arguments = entry[keys[0]] if keys else {}
    if isinstance(arguments, str):
        written = json_object(arguments or "{}")
    else:
        written = _dump(arguments) if isinstance(arguments, dict) else None
    if written is None or not _is_name(name):
        return None
    own_id = entry.get("id")
    return Request(name, written, own_id[:64] if isinstance(own_id, str) else "")


def _read_xml(text: str, offered: Offered) -> list[Request] | None:
    calls = []
    for function in _FUNCTION.finditer(text):
        name = function[1].strip()
        if "<parameter=" in _PARAMETER.sub("", function[2]):  # one that was not closed
            return None
        arguments = {
            key.strip(): offered.value(name, key.strip(), value)
            for key, value in _PARAMETER.findall(function[2])
        }
        calls.append(Request(name, _dump(arguments)))
    return calls if 0 < len(calls) <= _MOST_CALLS else None


def _from_python(entry: ast.expr) -> Request:
    if not isinstance(entry, ast.Call) or entry.args:
        raise ValueError("no call with named values")
    name = ast.unparse(entry.func)
    if not re.fullmatch(r"[\w.]{1,200}", name):
        raise ValueError("no name")
    arguments = {}
    for keyword in entry.keywords:
        if keyword.arg is None:
            raise ValueError("values without names")
        arguments[keyword.arg] = ast.literal_eval(keyword.value)
    return Request(name, _dump(arguments))


def _gemma_value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """The value that begins at a place, and the place after it."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if text.startswith(_GEMMA_QUOTE, at):
        start = at + len(_GEMMA_QUOTE)
        end = text.index(_GEMMA_QUOTE, start)
        return text[start:end], end + len(_GEMMA_QUOTE)
    if text[at] == "{":
        return _gemma_entries(text, at + 1, depth)
    if text[at] == "[":
        return _gemma_items(text, at + 1, depth)
    word = _GEMMA_WORD.match(text, at)
    if word is None:
        raise ValueError("nothing there")
    try:
        return _load(word[0]), word.end()
    except ValueError:
        return word[0].strip(), word.end()


def _gemma_entries(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    entries: dict[str, Any] = {}
    while (at := _skip(text, at)) < len(text) and text[at] != "}":
        if text.startswith(_GEMMA_QUOTE, at):
            key, at = _gemma_value(text, at, depth + 1)
        else:
            end = text.index(":", at)
            key, at = text[at:end].strip(), end
        at = _skip(text, at)
        if text[at] != ":":
            raise ValueError("no value")
        entries[str(key)], at = _gemma_value(text, _skip(text, at + 1), depth + 1)
        at = _after_comma(text, at, "}")
    return entries, at + 1


def _gemma_items(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    items = []
    while (at := _skip(text, at)) < len(text) and text[at] != "]":
        item, at = _gemma_value(text, at, depth + 1)
        items.append(item)
        at = _after_comma(text, at, "]")
    return items, at + 1


def _after_comma(text: str, at: int, end: str) -> int:
    at = _skip(text, at)
    if text[at] == ",":
        return at + 1
    if text[at] != end:
        raise ValueError("neither a comma nor an end")
    return at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _parted(text: str, separator: re.Pattern[str]) -> tuple[str, bool, str]:
    found = separator.search(text)
    return (text, False, "") if found is None else (text[: found.start()], True, text[found.end() :])


def _properties(parameters: str) -> dict[str, Any]:
    try:
        schema = _load(parameters or "{}")
    except ValueError:
        return {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else {}


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _MOST_NAME and name.isprintable() and not name.isspace()


def _load(text: str) -> Any:
    """JSON, strictly. Raises ValueError, for what is nested too deeply too."""
    if _depth(text) > _DEEPEST:
        raise ValueError("too deep")
    try:
        return json.loads(text, parse_constant=_no_number, strict=False)
    except RecursionError as error:  # brackets in its strings may have hidden how deep it is
        raise ValueError("too deep") from error


def _depth(text: str) -> int:
    """How many brackets are open at once, at most; those within strings count too."""
    deepest = depth = 0
    for bracket in re.findall(r"[(\[{}\])]", text):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_no_json)


def _no_json(value: Any) -> NoReturn:
    raise ValueError(f"a {type(value).__name__} is no JSON")
