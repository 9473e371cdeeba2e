"""What this system lacks: found by trying, installed where that is allowed, else one command to copy."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from launcher import machine, packages
from launcher.console import Console
from launcher.packages import Package
from launcher.running import CommandFailed, run
from launcher.stop import Stop

FREE_DISK = 2_500_000_000  # bytes: .venv keeps 0.6 GB; uv's cache and the compiler need more for a while
NEWEST_PYTHON = (3, 14)  # what the locked PySide6 supports
OLDEST_GLIBC = (2, 34)  # what PySide6's wheels are built against
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
)
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


class Missing(NamedTuple):
    """Something that is not here: its name for a person, and the package that has it."""

    name: str
    package: Package


def provide(root: Path, *, tests: bool, console: Console, log: IO[str]) -> None:
    """Returns when everything needed is here. Raises `Stop` with the one command a person has to run."""
    _refuse_what_cannot_work(root)
    missing = look(tests=tests)
    if missing and may_install():
        _install(missing, console, log)
        missing = look(tests=tests)
        if missing:
            raise Stop(f"Installed, and yet not usable here: {_names(missing)}.")
    if missing:
        raise Stop(_sentence(missing))


def look(*, tests: bool) -> list[Missing]:
    """What a set-up, and the tests if they are wanted, would miss on this system."""
    missing: list[Missing] = []
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(Missing("Python's venv module", _venv_package()))
    if not _has_compiler():
        missing.append(Missing("a C++ compiler", packages.COMPILER))
    if sys.platform != "linux":
        return missing
    shown = machine.display()
    libraries = dict(packages.QT)
    libraries |= packages.X11 if shown == "x11" or tests else {}
    libraries |= packages.WAYLAND if shown == "wayland" else {}
    if tests:
        libraries |= packages.TEST_LIBRARIES
        missing += _without(packages.TEST_PROGRAMS, shutil.which)
        missing += _without(packages.TEST_FONTS, _font)
    return missing + _without(libraries, _loads)


def may_install() -> bool:
    """Only root, and only where apt-get is: nowhere else can it be done without a question."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def certificates() -> dict[str, str]:
    """Variables that make pip and uv trust what the system trusts, such as a company's own certificate authority."""
    if sys.platform != "linux":
        return {"UV_SYSTEM_CERTS": "1"}
    bundle = next((file for file in CERTIFICATES if os.path.exists(file)), "")
    return {"PIP_CERT": bundle, "SSL_CERT_FILE": bundle} if bundle else {}


def install_command(missing: Sequence[Missing]) -> str:
    """The one command that brings what is missing on this system, or "" when no package manager is known."""
    if sys.platform == "darwin":
        return packages.MACOS_COMPILER
    if sys.platform == "win32":
        return packages.WINDOWS_COMPILER
    for manager, program in (("apt", "apt-get"), ("dnf", "dnf"), ("pacman", "pacman"), ("zypper", "zypper")):
        if shutil.which(program):
            sudo = "" if os.geteuid() == 0 else "sudo "
            template = sudo + packages.INSTALL[manager]
            return template.format(sudo=sudo, packages=" ".join(_package_names(missing, manager)))
    return ""


def _refuse_what_cannot_work(root: Path) -> None:
    if sys.maxsize < 2**32:
        raise Stop("Alcove needs a 64-bit Python; this one has 32 bits. Get one from https://www.python.org")
    if sys.version_info[:2] > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        raise Stop(
            f"Alcove's window needs Python 3.11 to {newest}; this is {platform.python_version()}.\n"
            f"Run it with an older one, for instance:  python{newest} run.py"
        )
    name, version = platform.libc_ver()
    if sys.platform == "linux" and name != "glibc":
        raise Stop("Alcove's window needs a Linux with glibc (Debian, Ubuntu, Fedora, Arch, openSUSE, …).")
    if name == "glibc" and tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        raise Stop(
            f"This Linux is too old for Alcove's window: it has glibc {version}, {'.'.join(map(str, OLDEST_GLIBC))}"
            " is needed (Debian 12, Ubuntu 22.04, Fedora 35 or newer)."
        )
    free = shutil.disk_usage(root).free
    if free < FREE_DISK:
        raise Stop(
            f"Set-up needs {FREE_DISK / 1e9:.1f} GB of free disk space in {root}; {free / 1e9:.1f} GB are free."
        )


def _install(missing: Sequence[Missing], console: Console, log: IO[str]) -> None:
    names = _package_names(missing, "apt")
    console.activity(f"installing {' '.join(names)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    wait = ["-o", "DPkg::Lock::Timeout=600"]
    try:
        run(["apt-get", *wait, "update"], console, log, environment=quiet)
    except CommandFailed:
        console.activity("the package lists could not all be refreshed; trying with what is there")
    command = ["apt-get", *wait, "install", "-y", "--no-install-recommends", *names]
    try:
        run(command, console, log, environment=quiet)
    except CommandFailed as error:
        tail = "\n".join(error.tail)
        raise Stop(f"{tail}\n\n{_sentence(missing)}") from error
    importlib.invalidate_caches()


def _sentence(missing: Sequence[Missing]) -> str:
    what = f"Alcove needs something that is missing here: {_names(missing)}."
    command = install_command(missing)
    if not command:
        return f"{what}\nInstall it, then run this again."
    return f"{what}\nRun this, then start again:\n\n    {command}"


def _names(missing: Sequence[Missing]) -> str:
    return ", ".join(part.name for part in missing)


def _package_names(missing: Iterable[Missing], manager: str) -> list[str]:
    return list(dict.fromkeys(str(getattr(part.package, manager)) for part in missing))


def _without(parts: Mapping[str, Package], find: Callable[[str], object]) -> list[Missing]:
    return [Missing(name, package) for name, package in parts.items() if not find(name)]


def _venv_package() -> Package:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Package(f"python{version}-venv", "python3", "python", "python3")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _font(file: str) -> bool:
    return any(True for folder in FONT_FOLDERS for _ in Path(folder).expanduser().rglob(file))


def _has_compiler() -> bool:
    if sys.platform == "darwin":
        # Without the command line tools /usr/bin/c++ exists and opens a dialogue: ask, don't try.
        return _succeeds(["xcode-select", "-p"])
    if sys.platform == "win32":
        return shutil.which("cl") is not None or _visual_studio()
    c = os.environ.get("CC") or _first("cc", "gcc", "clang")
    cxx = os.environ.get("CXX") or _first("c++", "g++", "clang++")
    return (
        bool(c and cxx)
        and _compiles(c, "c", "#include <stdio.h>")
        and _compiles(cxx, "cpp", "#include <vector>")
    )


def _compiles(compiler: str, suffix: str, include: str) -> bool:
    """A compiler without its headers or linker is none: build something small."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, f"try.{suffix}")
        source.write_text(f"{include}\nint main(void) {{ return 0; }}\n")
        return _succeeds([*compiler.split(), str(source), "-o", str(Path(folder, "try"))])


def _visual_studio() -> bool:
    programs = os.environ.get("PROGRAMFILES(X86)", "C:/Program Files (x86)")
    finder = Path(programs, "Microsoft Visual Studio/Installer/vswhere.exe")
    if not finder.exists():
        return False
    tools = [f"Microsoft.VisualStudio.Component.VC.Tools.{processor}" for processor in ("x86.x64", "ARM64")]
    found = subprocess.run(
        [str(finder), "-products", "*", "-requires", *tools, "-requiresAny", "-property", "installationPath"],
        capture_output=True,
        text=True,
        check=False,
    )
    return bool(found.stdout.strip())


def _first(*programs: str) -> str:
    return next((program for program in programs if shutil.which(program)), "")


def _succeeds(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
