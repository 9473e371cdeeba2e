"""Searches a hub and reads the pages of models there, through huggingface_hub. The only file that imports it.

Runs in the one process that has a network, with the gate's HTTP client (`use_client`). A token is passed with
each call; it is sent to the hub's own address and kept nowhere.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

# The library reads these once, at its import. Telemetry: it would fetch a list of programs from the hub, store it in
# the person's home, and name the program that called it in each request. Implicit token: it would read other
# programs' tokens from the disk and the environment. Xet: a second, native way to the network, past the gate. The
# rest: files and lines on stderr that nobody asked for.
os.environ |= dict.fromkeys(
    (
        "HF_HUB_DISABLE_TELEMETRY",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        "HF_HUB_DISABLE_XET",
        "HF_HUB_DISABLE_PROGRESS_BARS",
        "HF_HUB_DISABLE_SYMLINKS_WARNING",
        "HF_HUB_DISABLE_EXPERIMENTAL_WARNING",
        "HF_HUB_DISABLE_UPDATE_CHECK",
        "HF_HUB_DISABLE_SHARED_BLOBS",
    ),
    "1",
)
for _name in ("HF_HUB_ENABLE_HF_TRANSFER", "HF_HUB_USER_AGENT_ORIGIN", "HF_DEBUG", "HUGGINGFACE_CO_STAGING"):
    os.environ.pop(_name, None)

from huggingface_hub import HfApi, constants, set_client_factory  # noqa: E402
from huggingface_hub.hf_api import ModelInfo, RepoFile  # noqa: E402

from models.file_names import file_problem, repository_problem  # noqa: E402
from models.hub_faults import HubFault, HubKind  # noqa: E402
from models.hub_session import ClientFactory, Session, bounded_call  # noqa: E402
from models.hub_values import (  # noqa: E402
    Found,
    Gate,
    HubFile,
    HubModel,
    Listing,
    Page,
    Query,
    RefusedName,
    file_url,
)

# In case something imported the library first, without the lines above.
constants.HF_HUB_DISABLE_TELEMETRY = True
constants.HF_HUB_DISABLE_IMPLICIT_TOKEN = True
constants.HF_HUB_DISABLE_XET = True
constants.HF_HUB_USER_AGENT_ORIGIN = None

MOST_FILES = 20_000
"""Entries of a repository that are looked through: twenty pages of the hub. Models have fewer than a hundred."""

_MOST_FOUND = 100
_CARD_BYTES = 200_000
_MOST_TAGS = 100
_MOST_REFUSED = 100
_TEXT = 200
_SHA = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_TOKEN = re.compile(r"[!-~]{1,500}")
_SPLIT = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
_QUANTIZATION = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:IQ[1-4]_(?:XXS|XS|S|M|NL)|T?Q[1-8]_(?:K(?:_(?:XL|L|M|S))?|[01])|MXFP4(?:_MOE)?|NVFP4"
    r"|BF16|F16|F32|FP16|FP32))(?=$|[-._])",
    re.IGNORECASE,
)
_EXPAND = ["author", "cardData", "downloads", "gated", "lastModified", "likes", "pipeline_tag", "private"]

_session: Session | None = None


def use_client(factory: ClientFactory) -> None:
    """All requests of this module and of the library go through the client that `factory` makes.

    The client needs timeouts of its own; redirects and sizes are looked after here. It is closed when another
    one is set.
    """
    global _session
    session = Session(factory())
    set_client_factory(cast(Any, lambda: session))
    _session = session


def search(endpoint: str, query: Query, token: str | None = None) -> tuple[Found, ...]:
    """What a hub has for a query, at most 100. Raises `HubFault`."""
    filters = (["gguf"] if query.gguf_only else []) + ([f"license:{query.licence}"] if query.licence else [])
    with _asking(endpoint, token) as api:
        found = api.list_models(
            search=query.text or None,
            pipeline_tag=query.task or None,
            filter=filters or None,
            author=query.author or None,
            gated=query.gated,
            sort=cast(Literal["downloads"], query.sort.value),
            limit=max(1, min(query.limit, _MOST_FOUND)),
            expand=cast(Any, [*(name for name in _EXPAND if name != "cardData"), "tags"]),
            token=token or False,
        )
        return tuple(_found(info) for info in found if repository_problem(info.id) is None)


def page(endpoint: str, repo: str, revision: str = "main", token: str | None = None) -> Page:
    """A model's page with its card. Raises `HubFault`."""
    _check_names(repo, revision)
    with _asking(endpoint, token) as api:
        info = api.model_info(
            repo, revision=revision, expand=cast(Any, [*_EXPAND, "tags", "sha"]), token=token or False
        )
        sha = info.sha or ""
        if not _SHA.fullmatch(sha) or info.id.lower() != repo.lower():
            raise HubFault(HubKind.BAD_ANSWER, "a page without a revision, or of another model")
        card, cut = _card(endpoint, repo, sha, token)
    data: dict[str, Any] = cast(Any, info.card_data).to_dict() if info.card_data else {}
    return Page(
        found=_found(info),
        sha=sha,
        private=bool(info.private),
        base_models=_texts(data.get("base_model")),
        languages=_texts(data.get("language")),
        card=card,
        card_cut=cut,
    )


def files(endpoint: str, repo: str, revision: str, token: str | None = None) -> Listing:
    """The GGUF files of a repository, parts of one model together. Raises `HubFault`.

    Looks through at most 20,000 entries and keeps only what it returns.
    """
    _check_names(repo, revision)
    kept: list[HubFile] = []
    refused: list[RefusedName] = []
    seen = 0
    with _asking(endpoint, token) as api:
        for entry in api.list_repo_tree(repo, recursive=True, revision=revision, token=token or False):
            if seen >= MOST_FILES:
                return Listing(_grouped(kept), tuple(refused), seen, whole=False)
            seen += 1
            if not isinstance(entry, RepoFile) or not entry.path.lower().endswith(".gguf"):
                continue
            problem = file_problem(entry.path)
            if problem is None:
                kept.append(_file(entry))
            elif len(refused) < _MOST_REFUSED:
                refused.append(RefusedName(_plain(entry.path), problem))
    return Listing(_grouped(kept), tuple(refused), seen, whole=True)


def whoami(endpoint: str, token: str) -> str:
    """What a hub calls the owner of a token. Raises `HubFault`, TOKEN_WRONG for one that it does not know."""
    with _asking(endpoint, token):
        assert _session is not None
        headers = {"user-agent": "alcove", "authorization": f"Bearer {token}"}
        _, raw, _ = _session.read(f"{endpoint.rstrip('/')}/api/whoami-v2", headers, _CARD_BYTES)
        name = json.loads(raw)["name"]
    return _plain(name) if isinstance(name, str) else ""


@contextmanager
def _asking(endpoint: str, token: str | None) -> Iterator[HfApi]:
    """An API for one call. What the library makes of a malformed answer becomes BAD_ANSWER."""
    if _session is None:
        raise HubFault(HubKind.REFUSED_BY_GATE, "no client", {"reason": "no_client"})
    if token is not None and not _TOKEN.fullmatch(token):
        raise HubFault(HubKind.TOKEN_WRONG, "not the form of a token")
    headers = {"user-agent": "alcove"}  # the library's own names the versions of everything that is installed
    with bounded_call(endpoint, token is not None):
        try:
            yield HfApi(endpoint=endpoint, token=False, headers=headers)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise HubFault(HubKind.BAD_ANSWER, type(error).__name__) from None


def _check_names(repo: str, revision: str) -> None:
    problem = repository_problem(repo)
    if problem is not None:
        raise HubFault(HubKind.BAD_NAME, facts={"problem": problem.value})
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise HubFault(HubKind.BAD_NAME, facts={"problem": "revision"})


def _card(endpoint: str, repo: str, sha: str, token: str | None) -> tuple[str, bool]:
    """The README without its metadata, and whether it was cut. No README is an empty card."""
    assert _session is not None
    headers = {"user-agent": "alcove"} | ({"authorization": f"Bearer {token}"} if token else {})
    try:
        _, raw, cut = _session.read(file_url(endpoint, repo, sha, "README.md"), headers, _CARD_BYTES)
    except HubFault as fault:
        # The page of a gated model is open, its files are not.
        if fault.kind in (HubKind.NOT_FOUND, HubKind.GATED_NO_TOKEN, HubKind.GATED_NOT_ACCEPTED):
            return "", False
        raise
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    match = re.match(r"---[ \t]*\r?\n.*?\n---[ \t]*(\r?\n|$)", text, re.DOTALL)
    return (text[match.end() :] if match else text).lstrip("\r\n"), cut


def _found(info: ModelInfo) -> Found:
    tags = _texts(info.tags)
    gates = {"auto": Gate.AUTOMATIC, "manual": Gate.MANUAL}
    closed = Gate.MANUAL if info.gated else Gate.OPEN
    return Found(
        repo=info.id,
        author=_plain(info.author or info.id.partition("/")[0]),
        task=_plain(info.pipeline_tag or ""),
        licence=next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), ""),
        gate=gates.get(str(info.gated), closed),
        downloads=_whole_number(info.downloads),
        likes=_whole_number(info.likes),
        updated=info.last_modified.isoformat() if info.last_modified else "",
        tags=tags,
    )


def _file(entry: RepoFile) -> HubFile:
    sha256 = entry.lfs.sha256 if entry.lfs is not None else ""
    size = entry.lfs.size if entry.lfs is not None else entry.size
    return HubFile(
        entry.path, _whole_number(size), sha256 if _SHA256.fullmatch(str(sha256)) is not None else ""
    )


def _grouped(found: Iterable[HubFile]) -> tuple[HubModel, ...]:
    groups: dict[tuple[str, int], dict[int, HubFile]] = {}
    for file in found:
        match = _SPLIT.fullmatch(file.path)
        key = (match[1], int(match[3])) if match else (file.path[: -len(".gguf")], 0)
        groups.setdefault(key, {})[int(match[2]) if match else 0] = file
    models = [_model(name, parts, group) for (name, parts), group in groups.items()]
    return tuple(sorted(models, key=lambda model: (model.size, model.name)))


def _model(name: str, parts: int, group: dict[int, HubFile]) -> HubModel:
    base = name.rpartition("/")[2]
    quantization = _QUANTIZATION.findall(base)
    return HubModel(
        name=base,
        quantization=quantization[-1].upper() if quantization else "",
        files=tuple(group[number] for number in sorted(group)),
        projector="mmproj" in base.lower(),
        complete=parts == 0 or sorted(group) == list(range(1, parts + 1)),
    )


def _texts(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(_plain(text) for text in values[:_MOST_TAGS] if isinstance(text, str))


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(text)[:_TEXT])


def _whole_number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else 0
