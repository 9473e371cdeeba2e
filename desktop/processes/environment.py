"""Which environment variables a child is given: what finds libraries, folders and the GPU, and no secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping

_FOLDERS_AND_LANGUAGE = """
    HOME USER LOGNAME PATH LANG LANGUAGE TZ TMPDIR ALCOVE_HOME
    XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME XDG_DATA_DIRS XDG_CONFIG_DIRS
    LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH
"""
# Without most of these Windows starts no program.
_WINDOWS = """
    SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT TEMP TMP USERNAME USERPROFILE
    APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES NUMBER_OF_PROCESSORS
"""
# GPU drivers and the libraries that compute: CUDA, Vulkan, Mesa, ROCm, oneAPI, OpenMP.
_PREFIXES = """
    LC_ GGML_ CUDA_ NVIDIA_ __NV VK_ MESA_ RADV_ ANV_ LP_ LIBGL_
    HIP_ HSA_ ROCR_ ROCM_ ROC_ AMD_ ONEAPI_ SYCL_ ZE_ ZES_ OMP_ GOMP_ KMP_
"""
# NVIDIA_API_KEY is a real name.
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")

# How to reach the outside from this machine: the proxy that its administrator set (with the account for it, if
# it needs one), and where the trusted certificates are. For the broker alone: nobody else has a network.
_WAY_OUT = frozenset({"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"})
# Where the session bus is, on which the keychain answers: the broker reads the key that it sends, and nobody else.
_KEYCHAIN = frozenset({"DBUS_SESSION_BUS_ADDRESS"})
# huggingface_hub reads these when it is imported: no telemetry, no token that it finds for itself, no second
# network client in native code, and no folder outside Alcove's.
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_XET": "1",
    "DO_NOT_TRACK": "1",
}

_NAMES = frozenset(_FOLDERS_AND_LANGUAGE.split() + _WINDOWS.split())
_STARTS = tuple(_PREFIXES.split())


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environ` that a child may see, and the one that is set for every child."""
    chosen = {name: value for name, value in environ.items() if _is_for_a_child(name.upper())}
    # Otherwise a failed assertion in ggml starts a debugger to print a stack.
    return {**chosen, "GGML_NO_BACKTRACE": "1"}


def broker_environment(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """What the broker may see: what any child may, how to reach the outside and the keychain. No key, no token.

    `home` is Alcove's folder: the child runs in another current folder, where a relative one would be lost.
    """
    way_out = {name: value for name, value in environ.items() if name.upper() in _WAY_OUT | _KEYCHAIN}
    own = {"ALCOVE_HOME": home, "HF_HOME": os.path.join(home, "downloads", "hub")}
    return {**child_environment(environ), **way_out, **_QUIET, **own}


def _is_for_a_child(name: str) -> bool:
    if any(word in name for word in _SECRETS):
        return False
    return name in _NAMES or name.startswith(_STARTS)
