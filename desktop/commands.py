"""The command line: what was asked for, and which part of the program does it.

alcove                          open the window
alcove ask "…"                  stream an answer to standard output
alcove conversations | models | bench | ledger | costs | network | remote | keys | doctor
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.paths import find_paths
from desktop.processes.report import LockReport

if TYPE_CHECKING:
    import argparse


def run(arguments: list[str], report: LockReport) -> int:
    """Exit status: 0 done, 1 failed, 2 wrong usage (argparse prints what is wrong)."""
    if not arguments:  # the window, and it is in a hurry: nothing to parse
        gc.disable()  # until it is there (`app` switches it on again): nothing made before that is garbage
        from desktop.app import open_window

        return open_window(find_paths(), report)
    try:
        chosen = _parser().parse_args(arguments)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 2
    from desktop import cli

    try:
        return cli.run(chosen, find_paths(), report)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone: nobody is left to be told
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    import argparse
    from importlib.metadata import version

    parser = argparse.ArgumentParser(
        prog="alcove",
        description=tr("An assistant that runs on this machine. Without a command, its window opens."),
    )
    parser.add_argument("--version", action="version", version=f"Alcove {version('alcove')}")
    commands = parser.add_subparsers(dest="command", metavar=tr("command"), required=True)
    ask = commands.add_parser("ask", help=tr("answer one question here in the terminal"))
    ask.add_argument("question", help=tr("the question; - reads it from standard input"))
    ask.add_argument(
        "--model", type=Path, metavar="FILE", help=tr("a model file (.gguf) instead of the chosen one")
    )
    ask.add_argument(
        "--image",
        type=Path,
        action="append",
        metavar="FILE",
        help=tr("an image to show the model; may be given several times"),
    )
    ask.add_argument("--system", metavar="TEXT", help=tr("instructions for the model"))
    ask.add_argument("--max-tokens", type=_positive, metavar="N", help=tr("the longest answer, in tokens"))
    ask.add_argument("--seed", type=_natural, metavar="N", help=tr("repeatable choice of words"))
    _sampling_options(ask)
    ask.add_argument(
        "--adapter",
        type=_adapter,
        action="append",
        default=[],
        metavar="FILE[=STRENGTH]",
        help=tr("a LoRA adapter for the model; 1 is its full strength; may be given again"),
    )
    ask.add_argument(
        "--guess-ahead",
        choices=("off", "lookup"),
        help=tr("guess words from the text so far; the answer stays the same"),
    )
    ask.add_argument(
        "--draft",
        type=Path,
        metavar="FILE",
        help=tr("guess ahead with this smaller model of the same family"),
    )
    shape = ask.add_mutually_exclusive_group()
    shape.add_argument("--json-answer", action="store_true", help=tr("the answer must be JSON"))
    shape.add_argument(
        "--json-schema",
        type=Path,
        metavar="FILE",
        help=tr("the answer must be JSON that fits this JSON schema"),
    )
    shape.add_argument(
        "--grammar", type=Path, metavar="FILE", help=tr("the answer must keep to this grammar (GBNF)")
    )
    ask.add_argument(
        "--think",
        choices=("off", "on", "low", "medium", "high"),
        default="",
        help=tr("how much the model thinks first, if it knows the difference"),
    )
    ask.add_argument("--save", action="store_true", help=tr("keep question and answer as a conversation"))
    ask.add_argument(
        "--conversation",
        type=_positive,
        metavar="ID",
        help=tr("go on with a conversation, as “conversations” lists it, and keep question and answer there"),
    )
    ask.add_argument(
        "--remote",
        default="",
        metavar="PROVIDER/MODEL",
        help=tr("ask a remote model; without --yes-send, show what would be sent, and send nothing"),
    )
    ask.add_argument(
        "--yes-send", action="store_true", help=tr("send it: the question, and what stands before it")
    )
    _json_option(ask)
    _json_option(commands.add_parser("conversations", help=tr("list the conversations")))
    _models_options(commands.add_parser("models", help=tr("the models on this disk and on the hub")))
    bench = commands.add_parser("bench", help=tr("measure how fast a model is on this machine"))
    bench.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="FILE",
        help=tr("a model file (.gguf) instead of the chosen one"),
    )
    _json_option(bench)
    _json_option(commands.add_parser("doctor", help=tr("say what works here, what does not, and why")))
    network = commands.add_parser("network", help=tr("where the network switch stands, or turn it"))
    network.add_argument(
        "position", nargs="?", choices=("offline", "downloads", "remote"), help=tr("from the next start on")
    )
    network.add_argument(
        "--hub", metavar="URL", help=tr("an organisation's own model hub; “public” for huggingface.co again")
    )
    from desktop.cli.ledger import add_ledger_command

    add_ledger_command(commands)
    from desktop.cli.costs import add_costs_command

    add_costs_command(commands)
    from desktop.cli.keys import add_keys_command

    add_keys_command(commands)
    from desktop.cli.remote import add_remote_command

    add_remote_command(commands)
    return parser


def _models_options(models: argparse.ArgumentParser) -> None:
    _json_option(models)
    actions = models.add_subparsers(dest="action", metavar=tr("action"))

    def add(name: str, explanation: str) -> argparse.ArgumentParser:
        import argparse

        action = actions.add_parser(name, help=explanation)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=tr("print JSON"))
        return action

    add("list", tr("list what is on this disk"))
    for name, explanation in (
        ("verify", tr("compute its SHA-256 and compare it, where one is known")),
        ("remove", tr("put a model that Alcove downloaded into the trash")),
    ):
        add(name, explanation).add_argument("name", metavar="NAME", help=tr("its name, file or repository"))
    template = add("template", tr("show a model's chat template, compare it, or use another"))
    template.add_argument("name", metavar="NAME", help=tr("its name, file or repository"))
    change = template.add_mutually_exclusive_group()
    change.add_argument(
        "--use", metavar="FILE", help=tr("a template in a text file, or a form: chatml, llama3, …")
    )
    change.add_argument("--reset", action="store_true", help=tr("use the file's own again"))
    change.add_argument(
        "--diff", metavar="OTHER", help=tr("compare it with another model's, or a family's known one")
    )
    info = add("info", tr("all that is known of a model on this disk, or of one on the model hub"))
    info.add_argument("name", metavar="NAME", help=tr("its name, file or repository"))
    info.add_argument(
        "--hub", action="store_true", help=tr("look on the model hub, even if it is here as well")
    )
    info.add_argument(
        "--context", type=_positive, metavar="N", help=tr("the context it is to be judged for, in tokens")
    )
    add("import", tr("use a model file from where it lies")).add_argument("file", type=Path, metavar="FILE")
    add("recommend", tr("what to begin with on this machine")).add_argument(
        "--purpose",
        default="chat",
        choices=("chat", "code", "reasoning", "vision", "embeddings", "translation", "small"),
        help=tr("what it is for; chat without it"),
    )
    search = add("search", tr("search the model hub"))
    search.add_argument("text", metavar="TEXT", nargs="?", default="")
    search.add_argument("--licence", default="", metavar="NAME", help=tr("as the hub names it: apache-2.0"))
    search.add_argument("--author", default="", metavar="NAME", help=tr("only of this publisher"))
    search.add_argument("--task", default="", metavar="NAME", help=tr("as the hub names it: text-generation"))
    search.add_argument("--ungated", action="store_true", help=tr("only what is open to everybody"))
    search.add_argument(
        "--sort",
        choices=("downloads", "likes", "updated"),
        default="downloads",
        help=tr("most or newest first"),
    )
    search.add_argument("--limit", type=_positive, default=20, metavar="N", help=tr("at most this many"))
    pull = add("pull", tr("fetch a model from the hub and check it"))
    pull.add_argument("repository", metavar="REPOSITORY", help=tr("as on the hub: publisher/name"))
    pull.add_argument(
        "--quantization", metavar="NAME", help=tr("for example Q4_K_M; without it, what runs best here")
    )
    downloads = add("downloads", tr("what is being fetched, or waits for it"))
    action = downloads.add_mutually_exclusive_group()
    action.add_argument("--fetch", action="store_true", help=tr("fetch what is waiting, and wait for it"))
    for name, explanation in (
        ("pause", tr("leave one out until it is resumed")),
        ("resume", tr("put one that was paused or has failed back into the list")),
        ("cancel", tr("take one out of the list, and remove what was fetched of it")),
    ):
        action.add_argument(f"--{name}", metavar="ID", help=explanation)
    embed = add("embed", tr("turn texts into vectors with an embedding model"))
    embed.add_argument("name", metavar="NAME", help=tr("its name, file or repository"))
    embed.add_argument("texts", nargs="*", metavar="TEXT", help=tr("lines of standard input without any"))
    _quantize_options(add("quantize", tr("make a smaller version of a model on this disk")))


def _quantize_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help=tr("its name, file or repository"))
    parser.add_argument("type", nargs="?", metavar="TYPE", help=tr("for example Q4_K_M"))
    parser.add_argument("--list", action="store_true", help=tr("list the types, and what each costs"))
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=tr("where the new file, or its folder, is")
    )
    parser.add_argument("--again", action="store_true", help=tr("even if the model is quantized already"))
    parser.add_argument(
        "--keep-output", action="store_true", help=tr("leave the last layer as exact as it is")
    )


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=tr("print JSON"))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError  # argparse words it
    return number


def _sampling_options(ask: argparse.ArgumentParser) -> None:
    """How words are chosen; without them as in the settings, whose limits hold here as well."""
    for name, kind, explanation in (
        ("temperature", float, tr("how freely words are chosen; 0 always takes the likeliest")),
        ("top-p", float, tr("consider the likeliest words that make up this share")),
        ("top-k", int, tr("consider this many of the likeliest words; 0 considers all")),
        ("min-p", float, tr("leave out words less likely than this share of the likeliest")),
        ("repeat-penalty", float, tr("make words that were just used less likely; 1 changes nothing")),
    ):
        ask.add_argument(f"--{name}", type=kind, metavar="N", help=explanation)
    ask.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help=tr("end the answer before this text; may be given again"),
    )
    ask.add_argument(
        "--bias",
        type=_bias,
        action="append",
        default=[],
        metavar="WORD=N",
        help=tr("make a word likelier (above 0) or less likely; -100 and below: never; may be given again"),
    )


def _bias(text: str) -> tuple[str, float]:
    word, _, amount = text.rpartition("=")
    number = float(amount)
    if not word or not abs(number) <= 1000:  # false for what is no number, too
        raise ValueError
    return word, number


def _adapter(text: str) -> tuple[Path, float]:
    """A file and, after the last "=", a strength; a file's own name may have one too."""
    name, found, strength = text.rpartition("=")
    try:
        return (Path(name), _strength(strength)) if found and name else (Path(text), 1.0)
    except ValueError:
        if Path(text).exists():
            return Path(text), 1.0
        raise


def _strength(text: str) -> float:
    number = float(text)
    if not -10 <= number <= 10:  # false for what is no number, too
        raise ValueError
    return number


def _natural(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**32:
        raise ValueError
    return number
