"""Which providers a person has switched on, and the servers that they added: `remote/providers.json` in Alcove's home.

    {"enabled": ["openai", "own-1"],
     "models": {"openai": ["gpt-5-mini"]},
     "own": [{"id": "own-1", "kind": "ollama", "name": "Ollama", "base_url": "http://localhost:11434",
              "auth": "none", "plain_http": true}],
     "made": 1}

The desktop writes it; the broker reads it at each request and can't change it. Whatever is missing, unreadable or of
another form means: nothing is enabled. A file of another form is kept aside when the next one is written.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from providers.remote.catalogue import catalogue, kinds_of_own_servers
from providers.remote.values import Auth, Service

FOLDER, FILE = "remote", "providers.json"
_MOST_BYTES = 256 * 1024
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_NUMBERED = re.compile(r"own-([0-9]{1,9})")
_LOOKS_NUMBERED = re.compile(rb'(?:own-|"made":\s*)([0-9]{1,9})(?![0-9])')
_LONGEST = 200
_MOST_MADE = 999_999_999
_OWN_NAMES = {"id", "kind", "name", "base_url", "auth", "plain_http"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """`models`: for a provider, the only models that may be asked; a provider that is missing there may use any.

    `made`: the highest number that a server of one's own has had. None is given twice: conversations remember by its id
    where the person agreed to send them, and that must never come to mean another address. `damaged`: there is a file
    that says something else, which can't be read.
    """

    enabled: tuple[str, ...] = ()
    own: tuple[Service, ...] = ()
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    made: int = 0
    damaged: bool = field(default=False, compare=False)

    @property
    def known(self) -> dict[str, Service]:
        """Every service there is, enabled or not: the catalogue's, then one's own."""
        return {**catalogue(), **{service.id: service for service in self.own}}

    @property
    def own_names(self) -> dict[str, str]:
        """What the servers of one's own are called, by their ids."""
        return {service.id: service.name for service in self.own}

    @property
    def services(self) -> dict[str, Service]:
        """The services that are enabled, by their ids."""
        known = self.known
        return {name: known[name] for name in self.enabled if name in known}

    def allows(self, provider: str, model: str) -> bool:
        """Whether this model of this provider may be asked."""
        return model in self.models.get(provider, (model,))

    def switched(self, provider: str, on: bool) -> Chosen:
        """The same with one provider switched."""
        others = tuple(name for name in self.enabled if name != provider)
        return replace(self, enabled=(*others, provider) if on else others)

    def only(self, provider: str, models: Iterable[str] | None) -> Chosen:
        """The same with the only models of a provider that may be asked; None for any."""
        others = {name: listed for name, listed in self.models.items() if name != provider}
        return replace(
            self, models=others if models is None else {**others, provider: tuple(dict.fromkeys(models))}
        )

    @property
    def last_number(self) -> int:
        """The highest number that was ever given to a server of one's own."""
        numbers = (int(found[1]) for own in self.own if (found := _NUMBERED.fullmatch(own.id)))
        return max((self.made, *numbers))

    def with_own(self, service: Service) -> Chosen:
        """The same with one more server of one's own, made with the number after `last_number`."""
        more = replace(self, own=(*self.own, service))
        return replace(more, made=more.last_number)

    def with_own_changed(self, provider: str, service: Service) -> Chosen:
        """The same with a server of one's own told of anew. What was chosen of it holds: its address is the same."""
        return replace(
            self,
            own=tuple(replace(service, id=provider) if own.id == provider else own for own in self.own),
        )

    def without_own(self, provider: str) -> Chosen:
        """The same without this server and what was chosen of its models, and switched off."""
        rest = tuple(own for own in self.own if own.id != provider)
        return replace(self.switched(provider, False).only(provider, None), own=rest, made=self.last_number)


def own_service(
    number: int, kind: str, name: str, base_url: str, auth: Auth, plain_http: bool = False
) -> Service:
    """A server of one's own. Raises ValueError for an unknown kind or an address that is none.

    `plain_http` must be said for an http:// address: what is sent there can be read on the way.
    """
    return _own({
        "id": f"own-{number}", "kind": kind, "name": name, "base_url": base_url, "auth": auth.value,
        "plain_http": plain_http,
    })  # fmt: skip


def read_chosen(home: str) -> Chosen:
    """What was chosen in the Alcove at `home`. Never raises; nothing is enabled by a file that is damaged."""
    content = b""
    try:
        content = _read(os.path.join(home, FOLDER, FILE))
        return _from_record(json.loads(content.decode("utf-8")))
    except FileNotFoundError:
        return Chosen()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # The numbers that can still be made out are not given again.
        numbers = (int(found) for found in _LOOKS_NUMBERED.findall(content))
        return Chosen(made=max(numbers, default=0), damaged=True)


def write_chosen(home: str, chosen: Chosen) -> None:
    """Replace the file in one step; it holds from the next request on. Raises OSError; then the old one stands.

    A damaged one is kept beside it, as `providers.damaged-1.json` and so on: the addresses in it may be needed.
    """
    folder = os.path.join(home, FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, FILE)
    if read_chosen(home).damaged:
        _keep_aside(path)
    record = {
        "enabled": list(chosen.enabled),
        "models": {name: list(models) for name, models in chosen.models.items()},
        "own": [_to_entry(service) for service in chosen.own],
        "made": chosen.made,
    }
    fresh = path + ".new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(record, file, sort_keys=True, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def _keep_aside(path: str) -> None:
    """Raises OSError."""
    stem, ending = os.path.splitext(path)
    number = 1
    while os.path.lexists(aside := f"{stem}.damaged-{number}{ending}"):
        number += 1
    os.rename(path, aside)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("no ordinary file")
        content = os.read(descriptor, _MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > _MOST_BYTES:
        raise ValueError("too long")
    return content


def _from_record(record: object) -> Chosen:
    if not isinstance(record, dict) or not {"enabled", "models", "own", "made"} >= record.keys():
        raise ValueError("not what this version writes")
    own = tuple(_own(entry) for entry in record.get("own", []))
    models = {str(name): tuple(map(str, listed)) for name, listed in record.get("models", {}).items()}
    made = record.get("made", 0)
    if type(made) is not int or not 0 <= made <= _MOST_MADE:
        raise ValueError("not a number of servers")
    chosen = Chosen(tuple(map(str, record.get("enabled", []))), own, models, made)
    ids = [service.id for service in own]
    if len(set(ids)) != len(ids) or set(ids) & catalogue().keys():
        raise ValueError("two services of one name")
    return chosen


def _own(entry: Mapping[str, object]) -> Service:
    if set(entry) != _OWN_NAMES or type(entry["plain_http"]) is not bool:
        raise ValueError("not a server of one's own")
    kind = kinds_of_own_servers().get(str(entry["kind"]))
    base_url, name = str(entry["base_url"]).rstrip("/"), str(entry["name"])
    parts = urlsplit(base_url)
    _ = parts.port  # raises ValueError for what is no number
    usable = parts.scheme == "https" or (parts.scheme == "http" and entry["plain_http"])
    if kind is None or not usable or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("not the address of a server")
    if _ID.fullmatch(str(entry["id"])) is None or not 0 < len(name) <= _LONGEST or len(base_url) > _LONGEST:
        raise ValueError("not the name of a server")
    return replace(
        kind, id=str(entry["id"]), name=name, base_url=base_url, auth=Auth(str(entry["auth"])), own=True,
        plain_http=bool(entry["plain_http"]), kind=kind.id,
    )  # fmt: skip


def _to_entry(service: Service) -> dict[str, object]:
    """The opposite of `_own`."""
    return {
        "id": service.id, "kind": service.kind, "name": service.name, "base_url": service.base_url,
        "auth": service.auth.value, "plain_http": service.plain_http,
    }  # fmt: skip
