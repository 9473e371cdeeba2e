"""Headers of models on a hub, read for an estimate and remembered for a while: other contexts cost no request."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict

from models.estimate import Options, estimate
from models.file_names import file_problem, repository_problem
from models.fit import LONGEST_AUTOMATIC_CONTEXT
from models.gguf import Header
from models.http import Http
from models.hub_faults import HubFault, HubKind
from models.hub_values import file_url
from models.remote_header import HeaderTooLong, RemoteHeader, read_remote_parts
from providers.gate.hub_messages import HubFit, HubFitted

MOST_REMEMBERED = 32
MOST_PARTS = 100
_LONGEST_CONTEXT = 1 << 24
_REVISION = re.compile(r"[0-9a-f]{40}")

_Key = tuple[str, str, str, tuple[str, ...]]


class HeaderShelf:
    """In memory only. Any thread may call."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._lock = threading.Lock()
        self._headers: OrderedDict[_Key, Header] = OrderedDict()

    def fit(self, asked: HubFit, endpoint: str, token: str | None) -> HubFitted:
        """Raises `HubFault`, and `RuntimeFault` for a file that is no model."""
        _check(asked)
        key = (endpoint, asked.repo, asked.revision, asked.paths)
        with self._lock:
            header = self._headers.get(key)
        requests = read_bytes = 0
        if header is None:
            read = self._read(key, token)
            header, requests, read_bytes = read.header, read.requests, read.read_bytes
            with self._lock:
                self._headers[key] = header
                while len(self._headers) > MOST_REMEMBERED:
                    self._headers.popitem(last=False)
        trained = max(0, header.number(f"{header.architecture}.context_length"))
        usual = min(trained or LONGEST_AUTOMATIC_CONTEXT, LONGEST_AUTOMATIC_CONTEXT)
        context = min(asked.context_tokens or usual, _LONGEST_CONTEXT)
        try:
            needs = estimate(header, Options(context, asked.k_type, asked.v_type))
        except ValueError:
            raise HubFault(HubKind.BAD_NAME, facts={"problem": "cache_type"}) from None
        return HubFitted(
            estimate=needs,
            context_tokens=context,
            trained_context=min(trained, _LONGEST_CONTEXT),
            architecture=header.architecture[:100],
            file_bytes=header.file_bytes,
            requests=requests,
            read_bytes=read_bytes,
        )

    def _read(self, key: _Key, token: str | None) -> RemoteHeader:
        endpoint, repo, revision, paths = key
        urls = [file_url(endpoint, repo, revision, path) for path in paths]
        try:
            return read_remote_parts(self._http, urls, token)
        except HeaderTooLong as fault:
            # Its metadata are known, and with them a rough estimate.
            return RemoteHeader(fault.start, 0, int(fault.facts["read_bytes"]))


def _check(asked: HubFit) -> None:
    """What becomes an address has to be a name. Raises `HubFault` BAD_NAME."""
    problem = repository_problem(asked.repo)
    for path in asked.paths:
        problem = problem or file_problem(path)
    if problem is not None:
        raise HubFault(HubKind.BAD_NAME, facts={"problem": problem.value})
    if not _REVISION.fullmatch(asked.revision):
        raise HubFault(HubKind.BAD_NAME, facts={"problem": "revision"})
    if not 0 < len(asked.paths) <= MOST_PARTS or asked.context_tokens < 0:
        raise HubFault(HubKind.BAD_NAME, facts={"problem": "parts"})
