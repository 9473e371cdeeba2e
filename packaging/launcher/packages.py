"""What Alcove needs from the system, and what each package manager calls it. A table, no code that decides.

The libraries are those that PySide6 6.11 links to and does not bring along (`readelf -d` of QtGui and of the
platform plugins). Debian's names before the 64-bit-time change (libglib2.0-0) still install on newer releases.
"""

from __future__ import annotations

from typing import NamedTuple


class Package(NamedTuple):
    """One package under its four names."""

    apt: str
    dnf: str
    pacman: str
    zypper: str


def _same(name: str) -> Package:
    return Package(name, name, name, name)


COMPILER = Package("g++", "gcc-c++", "gcc", "gcc-c++")

# File name of a shared library → the package that has it.
QT = {
    "libGL.so.1": Package("libgl1", "libglvnd-glx", "libglvnd", "libglvnd"),
    "libEGL.so.1": Package("libegl1", "libglvnd-egl", "libglvnd", "libglvnd"),
    "libglib-2.0.so.0": Package("libglib2.0-0", "glib2", "glib2", "libglib-2_0-0"),
    "libgthread-2.0.so.0": Package("libglib2.0-0", "glib2", "glib2", "libgthread-2_0-0"),
    "libxkbcommon.so.0": Package("libxkbcommon0", "libxkbcommon", "libxkbcommon", "libxkbcommon0"),
    "libfontconfig.so.1": Package("libfontconfig1", "fontconfig", "fontconfig", "libfontconfig1"),
    "libdbus-1.so.3": Package("libdbus-1-3", "dbus-libs", "dbus", "libdbus-1-3"),
    "libstdc++.so.6": Package("libstdc++6", "libstdc++", "gcc-libs", "libstdc++6"),
}
X11 = {
    "libX11-xcb.so.1": Package("libx11-xcb1", "libX11-xcb", "libx11", "libX11-xcb1"),
    "libxcb-cursor.so.0": Package("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor", "libxcb-cursor0"),
    "libxcb-icccm.so.4": Package("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm", "libxcb-icccm4"),
    "libxcb-image.so.0": Package("libxcb-image0", "xcb-util-image", "xcb-util-image", "libxcb-image0"),
    "libxcb-keysyms.so.1": Package(
        "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms", "libxcb-keysyms1"
    ),
    "libxcb-randr.so.0": Package("libxcb-randr0", "libxcb", "libxcb", "libxcb-randr0"),
    "libxcb-render-util.so.0": Package(
        "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil", "libxcb-render-util0"
    ),
    "libxcb-shape.so.0": Package("libxcb-shape0", "libxcb", "libxcb", "libxcb-shape0"),
    "libxcb-sync.so.1": Package("libxcb-sync1", "libxcb", "libxcb", "libxcb-sync1"),
    "libxcb-xfixes.so.0": Package("libxcb-xfixes0", "libxcb", "libxcb", "libxcb-xfixes0"),
    "libxcb-xkb.so.1": Package("libxcb-xkb1", "libxcb", "libxcb", "libxcb-xkb1"),
    "libxkbcommon-x11.so.0": Package(
        "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11", "libxkbcommon-x11-0"
    ),
}
WAYLAND = {
    "libwayland-client.so.0": Package(
        "libwayland-client0", "libwayland-client", "wayland", "libwayland-client0"
    ),
    "libwayland-cursor.so.0": Package(
        "libwayland-cursor0", "libwayland-cursor", "wayland", "libwayland-cursor0"
    ),
    "libwayland-egl.so.1": Package("libwayland-egl1", "libwayland-egl", "wayland", "libwayland-egl1"),
}
# The tests try QtNetwork, to see it refused; the program itself never loads it.
TEST_LIBRARIES = {"libgssapi_krb5.so.2": Package("libgssapi-krb5-2", "krb5-libs", "krb5", "krb5")}
TEST_PROGRAMS = {
    "Xvfb": Package("xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb", "xorg-x11-server-Xvfb"),
    "xdotool": _same("xdotool"),
    "strace": _same("strace"),
    "dbus-daemon": Package("dbus", "dbus-daemon", "dbus", "dbus-1"),
    "gnome-keyring-daemon": _same("gnome-keyring"),
    "import": Package("imagemagick", "ImageMagick", "imagemagick", "ImageMagick"),
}
TEST_FONTS = {
    "NotoSans-Regular.ttf": Package(
        "fonts-noto-core", "google-noto-sans-fonts", "noto-fonts", "google-noto-sans-fonts"
    ),
    "NotoColorEmoji.ttf": Package(
        "fonts-noto-color-emoji",
        "google-noto-color-emoji-fonts",
        "noto-fonts-emoji",
        "google-noto-coloremoji-fonts",
    ),
}

INSTALL = {
    "apt": "apt-get update && {sudo}apt-get install -y --no-install-recommends {packages}",
    "dnf": "dnf install -y {packages}",
    "pacman": "pacman -S --needed {packages}",
    "zypper": "zypper install -y {packages}",
}
# On macOS and Windows a compiler is all that is ever missing, and its installer is the system's own.
MACOS_COMPILER = "xcode-select --install"
WINDOWS_COMPILER = (
    "winget install --id Microsoft.VisualStudio.2022.BuildTools --override "
    '"--wait --passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"'
)
