"""What makes this machine another one for a compiled library, in a moment: it is asked at every start."""

from __future__ import annotations

import hashlib
import os
import sys

# What ggml compiles for with -march=native, by how Linux names it; other flags change with the kernel's version.
INSTRUCTION_SETS = (
    *("sse4_", "ssse3", "avx", "fma", "f16c", "bmi", "amx"),  # x86
    *("asimd", "sve", "sme", "i8mm", "bf16", "dotprod"),  # Arm
)


def built_for() -> str:
    """A short name of what a build from here needs: the CPU's instruction sets and the C library.

    Elsewhere it would be killed by the CPU or refused by the loader; homes and disks do move between machines.
    """
    parts = [sys.platform]
    if sys.platform == "linux":
        parts += [os.uname().machine, os.confstr("CS_GNU_LIBC_VERSION") or ""]
        parts += sorted(
            word for word in cpuinfo("flags", "Features").split() if word.startswith(INSTRUCTION_SETS)
        )
    elif sys.platform == "win32":
        parts.append(os.environ.get("PROCESSOR_IDENTIFIER", ""))
    else:
        parts.append(os.uname().machine)
    return digest(" ".join(parts))


def display() -> str:
    """How a window would be shown: "wayland", "x11", or "" where there is no choice or no display."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM", "").startswith("offscreen"):
        return ""
    if os.environ.get("WAYLAND_DISPLAY"):
        return "wayland"
    return "x11" if os.environ.get("DISPLAY") else ""


def cpuinfo(*names: str) -> str:
    """A line of Linux's description of its first processor, which speaks for all; "" elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith(names)), "")
    except OSError:
        return ""


def digest(text: str) -> str:
    """A few letters that stand for the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
