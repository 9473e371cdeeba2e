"""Which environment variables a child is given: what finds libraries, folders and the GPU, and no secrets."""

from __future__ import annotations

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

_NAMES = frozenset(_FOLDERS_AND_LANGUAGE.split() + _WINDOWS.split())
_STARTS = tuple(_PREFIXES.split())


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environ` that a child may see, and the one that is set for every child."""
    chosen = {name: value for name, value in environ.items() if _is_for_a_child(name.upper())}
    # Otherwise a failed assertion in ggml starts a debugger to print a stack.
    return {**chosen, "GGML_NO_BACKTRACE": "1"}


def _is_for_a_child(name: str) -> bool:
    if any(word in name for word in _SECRETS):
        return False
    return name in _NAMES or name.startswith(_STARTS)
