"""Images that a person adds, decoded in a locked child: made ready to be kept, and drawn as plain pixels.

No image is decoded in this process. All methods belong to one event loop.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import cast

from desktop.picture_messages import ANSWERED, ASKED, MOST_FILE_BYTES, Draw, Drawn, Prepare, Prepared, Refused
from desktop.processes.child import ChildProcess, launch
from desktop.store.records import NewAttachment
from models.codec import ProtocolError
from models.runtime.faults import Fault, RuntimeFault

_COMMAND = (sys.executable, "-X", "utf8", "-P", "-m", "desktop.picture_child")
_PATIENCE = 20.0  # seconds for one image
_IDLE_SECONDS = 30.0  # without work the child is ended; it starts again when needed
_NAME = 120  # characters


class Pictures:
    """Owns the child, which does one image at a time."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        """`patience`: seconds that one image may take."""
        self._patience = patience
        self._child: ChildProcess | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The child, while there is one."""
        return self._child.pid if self._child is not None else None

    async def prepare(self, data: bytes, name: str = "") -> NewAttachment:
        """An image of any usual format as it is kept: PNG or JPEG, of a size that models look at.

        `name`: of its file, to be shown. Raises `RuntimeFault`: one about images.
        """
        if len(data) > MOST_FILE_BYTES:
            raise RuntimeFault(Fault.IMAGE_FILE_TOO_LARGE)
        found = await self._ask(Prepare(data))
        if not isinstance(found, Prepared):
            raise RuntimeFault(Fault.IMAGE_UNREADABLE)
        return NewAttachment(found.data, found.media_type, name[:_NAME], found.width, found.height)

    async def prepare_file(self, path: Path) -> NewAttachment:
        """As `prepare`. Its bytes are read here and looked at there."""

        def read() -> bytes:
            if path.stat().st_size > MOST_FILE_BYTES:
                raise RuntimeFault(Fault.IMAGE_FILE_TOO_LARGE)
            with path.open("rb") as file:
                return file.read(MOST_FILE_BYTES + 1)

        try:
            data = await asyncio.to_thread(read)
        except OSError as error:
            raise RuntimeFault(
                Fault.IMAGE_FILE_UNREADABLE, error.strerror or "", {"image": path.name}
            ) from error
        return await self.prepare(data, path.name)

    async def draw(self, data: bytes, width: int, height: int) -> Drawn:
        """The pixels of an image that is kept, no larger than this. Raises `RuntimeFault`."""
        found = await self._ask(Draw(data, width, height))
        if not isinstance(found, Drawn) or len(found.data) != found.width * found.height * 3:
            raise RuntimeFault(Fault.IMAGE_UNREADABLE)
        return found

    async def close(self) -> None:
        """End the child. It starts again when something is asked."""
        if self._idle is not None:
            self._idle.cancel()
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()

    async def _ask(self, request: Prepare | Draw) -> Prepared | Drawn:
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            try:
                async with asyncio.timeout(self._patience):
                    answer = await self._answer(request)
            except (TimeoutError, ProtocolError, OSError) as error:
                await self.close()
                raise RuntimeFault(Fault.IMAGE_UNREADABLE, f"{type(error).__name__}: {error}") from error
            except BaseException:  # its answer would be taken for that to the next question
                await self.close()
                raise
            self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._rest)
        if isinstance(answer, Refused):
            facts: dict[str, int | str] = {"width": answer.width, "height": answer.height}
            raise RuntimeFault(Fault(answer.fault), facts=facts if answer.width else None)
        return answer

    async def _answer(self, request: Prepare | Draw) -> Prepared | Drawn | Refused:
        if self._child is None:
            self._child = await launch(_COMMAND)
        self._child.send(ASKED.encode(request))
        record = await self._child.receive()
        if record is None:
            raise ProtocolError("the child has ended")
        return cast(Prepared | Drawn | Refused, ANSWERED.decode(record))

    def _rest(self) -> None:
        task = asyncio.get_running_loop().create_task(self.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
