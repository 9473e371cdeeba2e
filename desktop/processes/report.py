"""What the lock of a process came to: what was tried and seen, for the window and for other programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from desktop.processes.roles import Network, Role


class Mechanism(StrEnum):
    """What enforces the lock."""

    SECCOMP = "seccomp"  # Linux
    SEATBELT = "seatbelt"  # macOS
    NONE = "none"


class Gap(StrEnum):
    """Why the network is not locked by the operating system."""

    SYSTEM = "system"  # this operating system has no lock that Alcove can use
    ARCHITECTURE = "architecture"  # the processor's system calls are not in the table
    KERNEL = "kernel"  # the kernel refused the lock; `detail` holds its answer
    SELF_TEST = "self-test"  # the lock was taken, but something that it must refuse was not refused


class Remaining(StrEnum):
    """What a locked process could still be made to do, told rather than hidden."""

    NETWORK = "network"  # open any connection
    LOCAL_SERVICES = "local-services"
    """Talk to other programs of this machine through local sockets: the display, the session bus, the name
    resolver, an ssh-agent, Docker. They have a network of their own and may do what they are asked."""
    CHANGE_FILES = "change-files"  # create and change whatever files the account may
    OTHER_PROGRAMS = "other-programs"  # read and change the memory of the account's other programs


@dataclass(frozen=True, slots=True)
class LockReport:
    """The lock of one process. `enforced` is true only if the self-test saw every attempt refused."""

    role: Role
    mechanism: Mechanism
    enforced: bool
    network: Network
    self_test: tuple[tuple[str, bool], ...]  # what was tried, and whether it was refused
    remaining: tuple[Remaining, ...]
    gap: Gap | None = None
    detail: str = ""  # the system's own words about the gap
    memory_limit: int | None = None  # bytes of private memory

    @classmethod
    def unlocked(
        cls,
        role: Role,
        gap: Gap,
        detail: str = "",
        self_test: tuple[tuple[str, bool], ...] = (),
        memory_limit: int | None = None,
    ) -> LockReport:
        """The report of a process that nothing keeps from the network, and why. Claims nothing."""
        return cls(
            role,
            Mechanism.NONE,
            enforced=False,
            network=Network.OPEN,
            self_test=self_test,
            remaining=tuple(Remaining),
            gap=gap,
            detail=detail,
            memory_limit=memory_limit,
        )

    @property
    def weaker_than_planned(self) -> bool:
        """Whether the process can reach more than its role needs: no lock, or the one for GPU drivers."""
        return self.network is Network.OPEN or (self.role is Role.WORKER and self.network is not Network.NONE)

    @property
    def summary(self) -> str:
        """One or two plain English sentences, for logs and the terminal; the window words its own."""
        if not self.enforced:
            return _GAP_SENTENCES[self.gap or Gap.SYSTEM].format(detail=self.detail)
        refused = f"{len(self.self_test)} ways out were tried at start and refused."
        if self.network is Network.NONE:
            return f"The operating system refuses this process every socket. {refused}"
        if self.network is Network.OUTGOING:
            return (
                f"This process may open connections, starts no program, and can't be connected to. {refused}"
            )
        return (
            "The operating system refuses this process every network connection; it can still talk to other "
            f"programs on this machine, and those may have a network. {refused}"
        )

    def to_record(self) -> dict[str, object]:
        """The report as a JSON object."""
        return {
            "role": self.role.value,
            "mechanism": self.mechanism.value,
            "enforced": self.enforced,
            "network": self.network.value,
            "self_test": [[name, refused] for name, refused in self.self_test],
            "remaining": [item.value for item in self.remaining],
            "gap": self.gap.value if self.gap else None,
            "detail": self.detail,
            "memory_limit": self.memory_limit,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> LockReport:
        """The report in a JSON object. Raises ValueError when the object is not one that `to_record` made."""
        match dict(record):
            case {
                "role": str(role),
                "mechanism": str(mechanism),
                "enforced": bool(enforced),
                "network": str(network),
                "self_test": list(self_test),
                "remaining": list(remaining),
                "gap": (str() | None) as gap,
                "detail": str(detail),
                "memory_limit": (int() | None) as memory_limit,
                **surplus,
            } if not surplus:
                return cls(
                    role=Role(role),
                    mechanism=Mechanism(mechanism),
                    enforced=enforced,
                    network=Network(network),
                    self_test=tuple(_attempt(item) for item in self_test),
                    remaining=tuple(Remaining(item) for item in remaining),
                    gap=None if gap is None else Gap(gap),
                    detail=detail,
                    memory_limit=memory_limit,
                )
        raise ValueError("not the record of a lock")


def _attempt(item: object) -> tuple[str, bool]:
    match item:
        case [str(name), bool(refused)]:
            return name, refused
    raise ValueError(f"not an attempt and its outcome: {item!r}")


_GAP_SENTENCES: dict[Gap, str] = {
    Gap.SYSTEM: "On this operating system Alcove does not lock its processes: nothing but its own code keeps "
    "them from the network.",
    Gap.ARCHITECTURE: "This processor is not one Alcove can lock its processes on: nothing but its own code "
    "keeps them from the network.",
    Gap.KERNEL: "The system did not let this process be locked ({detail}): nothing but Alcove's own code "
    "keeps it from the network.",
    Gap.SELF_TEST: "The lock does not hold: {detail} was not refused. This process may be able to reach the "
    "network.",
}
