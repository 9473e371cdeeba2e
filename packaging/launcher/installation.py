"""Setting up `.venv`, step by step, so that it can be cut off at any moment and simply started again."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from launcher import machine, native, servers, system
from launcher.console import Console
from launcher.environment import Environment
from launcher.locking import alone
from launcher.native import Backend
from launcher.running import CommandFailed, interrupt_when_told_to_end, run
from launcher.stop import Stop

STEPS = 4
FIRST_TIME = " The first time takes some minutes: llama.cpp is compiled for this machine."
INTERRUPTED = (
    "Set-up was interrupted. Run the same command again; what was downloaded and compiled so far is kept."
)
# A person's own Python and compiler settings must not leak into what is installed here.
NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "CMAKE_ARGS")
COMPILED = re.compile(r"^DEBUG \[(\d+)/(\d+)\] ")  # ninja, through uv's verbose lines
FETCHED = re.compile(r"^\s*(Downloading|Downloaded|Building|Built|Prepared|Installed) (.*)")
NOT_IN_CACHE = re.compile(r"network (was|connectivity is) disabled", re.IGNORECASE)
# Starts what a start needs: Qt with a window, and the compiled library.
TRIAL = """
import llama_cpp, desktop
from PySide6.QtWidgets import QApplication
QApplication(["alcove"])
"""


def ensure(
    environment: Environment, *, tests: bool, look_again: bool = False, cpu_only: bool = False
) -> None:
    """Returns when `.venv` is complete; does nothing when it already is.

    `look_again` goes through all steps even so: for a person who has just installed a compiler for their GPU.
    Raises `Stop` with a sentence; Ctrl-C and SIGTERM end what runs and leave a set-up that goes on next time.
    """
    display = machine.display()
    if not look_again and environment.is_ready(tests=tests, display=display):
        return
    console = Console(STEPS)
    interrupt_when_told_to_end()
    lock = environment.folder.with_suffix(".lock")
    try:
        with alone(
            lock, lambda: console.say("Another run.py is setting up this folder; waiting for it.")
        ) as held:
            if look_again or not environment.is_ready(tests=tests, display=display):
                _Installation(environment, console, held, tests=tests, cpu_only=cpu_only).run()
    except OSError as error:
        raise Stop(f"Set-up stopped at {error.filename or environment.root}: {error.strerror}.") from error


def activity(line: str) -> str | None:
    """What a line of uv's tells a person about the progress, or None."""
    if compiled := COMPILED.match(line):
        return f"compiling llama.cpp: {compiled[1]} of {compiled[2]}"
    if fetched := FETCHED.match(line):
        return f"{fetched[1].lower()} {fetched[2]}"
    return None


class _Installation:
    """One set-up, holding the lock."""

    def __init__(
        self, environment: Environment, console: Console, lock: int, *, tests: bool, cpu_only: bool
    ) -> None:
        self._environment = environment
        self._console = console
        self._lock = lock
        self._before = environment.facts()
        self._tests = tests or bool(self._before.get("tests"))  # never takes the tests' libraries away again
        self._cpu_only = cpu_only

    def run(self) -> None:
        environment, console = self._environment, self._console
        console.say(f"Setting up Alcove in {environment.folder}.{'' if self._before else FIRST_TIME}")
        try:
            # Before anything is touched: a system that lacks something is left as it was.
            with console.step("Looking at this system"), io.StringIO() as log:
                system.provide(environment.root, tests=self._tests, console=console, log=log)
                gpu = native.nvidia_gpu()
                backend = native.choose(gpu=gpu, nvcc=native.cuda_compiler(), cpu_only=self._cpu_only)
            if gpu:
                console.say(f"      {backend.reason}")
            self._clear_what_is_broken()
            environment.begin()
            with environment.log.open("w", encoding="utf-8") as file:
                environment.complete(self._install(backend, gpu, file))
        except KeyboardInterrupt:
            raise Stop(INTERRUPTED) from None
        except CommandFailed as error:
            raise Stop(_failure(error, environment.log)) from error

    def _clear_what_is_broken(self) -> None:
        """A set-up that was cut off, or one made for another place, starts from nothing; uv's cache makes it short."""
        environment = self._environment
        if not environment.folder.exists() or (not environment.unfinished.exists() and self._runs_here()):
            return
        self._console.say("      What is in .venv is unfinished or was made elsewhere: starting it afresh.")
        try:
            shutil.rmtree(environment.folder)
        except OSError as error:
            raise Stop(
                f"{environment.folder} can't be removed: {error.strerror}.\n"
                "If Alcove is running, close it; then run the same command again."
            ) from error

    def _runs_here(self) -> bool:
        """Whether the Python in `.venv` works and was made for this very folder (scripts in it name the folder)."""
        folder = self._environment.folder
        try:
            done = subprocess.run([self._environment.python, "-I", "-c", "import pip"], capture_output=True)
            made_for = (folder / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return done.returncode == 0 and os.path.normcase(folder) in os.path.normcase(made_for)

    def _install(self, backend: Backend, gpu: str, log: IO[str]) -> dict[str, object]:
        """The steps that fill `.venv`. Returns what is worth knowing later."""
        console = self._console
        with console.step("Making .venv"):
            self._make(log)
        with console.step("Installing libraries, llama.cpp and the starter model"):
            backend = self._install_libraries(backend, gpu, log)
            if self._tests:
                console.activity("servers for the tests")
                servers.install(self._environment, lambda command: self._run(command, log))
        with console.step("Installing Alcove"):
            self._uv(["install", "--no-deps", "--editable", "."], log)
            console.activity("trying it")
            self._run([str(self._environment.python), "-P", "-c", TRIAL], log, QT_QPA_PLATFORM="offscreen")
        displays = {machine.display(), *(["x11"] if self._tests else []), *self._before.get("displays", [])}
        return {
            "tests": self._tests,
            "backend": backend.name,
            "reason": backend.reason,
            "displays": sorted(displays - {""}),
        }

    def _make(self, log: IO[str]) -> None:
        environment = self._environment
        python = str(environment.python)
        if not environment.python.exists():
            self._run([sys.executable, "-m", "venv", str(environment.folder)], log)
        self._console.activity("uv")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        self._run([*pip, "--require-hashes", "-r", "requirements-uv.lock"], log)

    def _install_libraries(self, backend: Backend, gpu: str, log: IO[str]) -> Backend:
        """Everything in the lock. When the build for the GPU fails, the one for the CPU takes its place."""
        try:
            self._sync(backend, gpu, log)
        except CommandFailed:
            if backend.name != "cuda":
                raise
            self._console.say(
                "      llama.cpp could not be compiled for the GPU; compiling it for the CPU instead."
            )
            backend = Backend("cpu", {}, f"The build for {gpu} failed: see {self._environment.log}")
            self._sync(backend, gpu, log)
        return backend

    def _sync(self, backend: Backend, gpu: str, log: IO[str]) -> None:
        uv = self._environment.program("uv")
        cache = subprocess.run(
            [uv, "cache", "dir"], capture_output=True, text=True, check=True
        ).stdout.strip()
        settings = native.config_settings(backend, native.without_common(Path(cache)), gpu)
        arguments = [
            f"--config-settings-package={native.PACKAGE}:{name}={value}" for name, value in settings.items()
        ]
        if self._built_otherwise(settings):
            # uv compares versions only: to it, other settings are no reason to install again.
            arguments.append(f"--reinstall-package={native.PACKAGE}")
        lock = "requirements-dev.lock" if self._tests else "requirements.lock"
        self._uv(["sync", *arguments, "--require-hashes", lock], log)

    def _built_otherwise(self, settings: Mapping[str, str]) -> bool:
        """Whether the llama-cpp-python that is installed, if one is, was built with other settings."""
        name = f"site-packages/{native.PACKAGE.replace('-', '_')}-*.dist-info/uv_build.json"
        folder = self._environment.folder
        files = [*folder.glob(f"lib/python*/{name}"), *folder.glob(f"Lib/{name}")]
        return any(native.recorded_settings(file) != settings for file in files)

    def _uv(self, arguments: Sequence[str], log: IO[str]) -> None:
        """`uv -v pip …` into this environment. What builds a package comes from the build lock, checked by hash.

        First from uv's cache alone: no server has to be there for what was installed before, and a mirror that
        does not say how long its files stay the same is no reason to compile them again.
        """
        command = [str(self._environment.program("uv")), "-v", "pip", *arguments]
        command += [f"--python={self._environment.python}", "--no-managed-python"]
        command += ["--build-constraints=requirements-build.lock", "--require-build-hashes"]
        command += ["--preview-features=build-dependency-hashes"]
        compilers = str(native.parallel_compilers(os.cpu_count() or 1, native.memory()))
        try:
            self._run([*command, "--offline"], log, CMAKE_BUILD_PARALLEL_LEVEL=compilers)
        except CommandFailed as error:
            if not NOT_IN_CACHE.search("\n".join(error.tail)):
                raise
            self._run(command, log, CMAKE_BUILD_PARALLEL_LEVEL=compilers)

    def _run(self, command: Sequence[str], log: IO[str], **variables: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        run(
            command,
            self._console,
            log,
            read=activity,
            environment=system.certificates() | inherited | variables,
            directory=self._environment.root,
            keep_open=self._lock,
        )


def _failure(error: CommandFailed, log: Path) -> str:
    lines = "\n".join(f"    {line}" for line in error.tail)
    text = lines.lower()
    if any(
        word in text for word in ("dns error", "failed to fetch", "name resolution", "newconnectionerror")
    ):
        advice = "The package servers could not be reached. Set-up needs the internet once; Alcove itself never does."
    elif "no space left" in text:
        advice = "The disk is full. Make room, then run the same command again."
    else:
        advice = "Run the same command again; if it stops at the same place, the whole story is in the log."
    return f"Set-up stopped. The last lines were:\n\n{lines}\n\n{advice}\nLog: {log}"
