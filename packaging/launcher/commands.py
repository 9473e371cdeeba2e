"""The words run.py understands. Everything else it is told goes to `alcove` as it stands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from launcher import machine
from launcher.environment import Environment
from launcher.stop import Stop

HELP = """\
python3 run.py                  Set up what is missing, then open Alcove.
python3 run.py setup [--cpu]    Set up only. Looks again for a compiler, libraries and a GPU; --cpu ignores the GPU.
python3 run.py test [...]       Set up, then run all tests. What follows goes to pytest: run.py test -k words
python3 run.py check            Style, types, and who may import whom.
python3 run.py bench [--quick] [names]
                                Measure what the project promises and print the table. Names are files of
                                tests/benchmarks. A full run is kept in tests/benchmarks/RESULTS.md.
python3 run.py ask "..."        Anything else goes to alcove: ask, conversations, models, doctor, --version.

Everything is installed into .venv in this folder; deleting that folder undoes it. The first set-up needs the
internet and some minutes, because llama.cpp is compiled for this machine. Alcove itself never uses the network.
"""


class WrongUsage(Exception):
    """The words given make no command; the text says what is wrong with them."""


def main(root: Path, arguments: Sequence[str]) -> int:
    """Runs one command. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted; else that of what was run."""
    commands = {
        "setup": _setup,
        "test": _test,
        "check": _check,
        "bench": _bench,
        "--help": _help,
        "-h": _help,
    }
    environment = Environment(root)
    try:
        if arguments and arguments[0] in commands:
            return commands[arguments[0]](environment, arguments[1:])
        return _alcove(environment, arguments)
    except WrongUsage as error:
        print(f"run.py: {error}\n\n{HELP}", file=sys.stderr)
        return 2
    except Stop as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _ensure(environment: Environment, *, tests: bool) -> None:
    # Everything that sets up is imported when there is something to do: a second start goes straight on.
    if not environment.is_ready(tests=tests, display=machine.display()):
        from launcher.installation import ensure

        ensure(environment, tests=tests)


def _alcove(environment: Environment, arguments: Sequence[str]) -> int:
    _ensure(environment, tests=False)
    # Safe path: a file named like one of our modules in the person's current folder is not imported.
    return _become(environment, ["-X", "utf8", "-P", "-m", "desktop", *arguments])


def _help(environment: Environment, arguments: Sequence[str]) -> int:
    print(HELP, end="")
    return 0


def _setup(environment: Environment, arguments: Sequence[str]) -> int:
    if set(arguments) - {"--cpu"}:
        raise WrongUsage(f"setup does not know {' '.join(arguments)}")
    from launcher.installation import ensure

    ensure(environment, tests=False, look_again=True, cpu_only="--cpu" in arguments)
    print("Ready. Open Alcove with:  python3 run.py")
    return 0


def _test(environment: Environment, arguments: Sequence[str]) -> int:
    _ensure(environment, tests=True)
    os.chdir(environment.root)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    return _become(environment, ["-X", "utf8", "-m", "pytest", *(arguments or _all_tests())])


def _all_tests() -> list[str]:
    """All of them, in as many processes as there are cores up to four; a file stays with one process."""
    processes = min(4, os.cpu_count() or 1)
    return ["-n", str(processes), "--dist", "loadfile"] if processes > 1 else []


def _check(environment: Environment, arguments: Sequence[str]) -> int:
    from launcher.checks import CHECKS, check
    from launcher.console import Console

    if arguments:
        raise WrongUsage(f"check does not know {' '.join(arguments)}")
    _ensure(environment, tests=True)
    console = Console(len(CHECKS))
    failures = 0
    for name in CHECKS:
        with console.step(name):
            passed, output = check(environment, name, console.tick)
            console.result("good" if passed else "not good")
        if not passed:
            failures += 1
            console.say(output.rstrip())
    return 1 if failures else 0


def _bench(environment: Environment, arguments: Sequence[str]) -> int:
    from launcher import bench

    quick = "--quick" in arguments
    names = [word for word in arguments if word != "--quick"]
    unknown = set(names) - set(bench.areas(environment.root))
    if unknown:
        known = ", ".join(bench.areas(environment.root))
        raise WrongUsage(f"there is no benchmark named {' '.join(sorted(unknown))}; there are {known}")
    _ensure(environment, tests=True)
    return bench.run(environment, names, quick=quick)


def _become(environment: Environment, arguments: Sequence[str]) -> int:
    """Ends run.py by turning it into the environment's Python; on Windows, which can't, by waiting for it."""
    command = [str(environment.python), *arguments]
    sys.stdout.flush()
    if sys.platform == "win32":
        import subprocess

        return int(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)
