"""What is asked of a model and what is known of it, as plain values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class CacheType(StrEnum):
    """How exactly the KV cache keeps its numbers: ggml's types, from two bytes a number to about half a byte."""

    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"


class RopeScaling(StrEnum):
    """How positions beyond those of the training are brought back among them."""

    NONE = "none"
    LINEAR = "linear"
    YARN = "yarn"


@dataclass(frozen=True, slots=True)
class Bias:
    """A word to come more often (`amount` above 0, added to its logit) or less; -100 and below: never."""

    text: str
    amount: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `seed` None draws a new one for each answer; temperature 0 is greedy.

    `stop`: texts before which an answer ends.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    bias: tuple[Bias, ...] = ()


class Speculation(StrEnum):
    """How to guess ahead. The text is the same with and without."""

    OFF = "off"
    LOOKUP = "lookup"  # from the text so far
    DRAFT = "draft"  # with a small model of the same vocabulary


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """None means automatic. `context_tokens` automatic: what the model was trained for, at most 8,192.

    `batch_tokens`: how many tokens of a prompt are evaluated at once. `map_file` False reads the weights into memory
    of their own instead of mapping the file; `lock_memory` keeps the system from moving them out. `draft`: the file
    of the model that guesses, for Speculation.DRAFT. `projector`: the path of the file that lets the model see images
    (mmproj), if it has one. `rope_scaling` and `rope_base` None: as the file says; `rope_stretch`: how many times
    farther than in the training positions reach.
    """

    context_tokens: int | None = None
    threads: int | None = None
    gpu_layers: int | None = None
    cache_type: CacheType = CacheType.F16
    flash_attention: bool | None = None
    batch_tokens: int | None = None
    map_file: bool = True
    lock_memory: bool = False
    speculation: Speculation = Speculation.OFF
    draft: str = ""
    projector: str | None = None
    rope_scaling: RopeScaling | None = None
    rope_base: int | None = None
    rope_stretch: float = 1.0


class Effort(StrEnum):
    """How much a model is asked to think before it answers. AUTOMATIC: as its template has it."""

    AUTOMATIC = ""
    OFF = "off"
    ON = "on"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a model may ask for. `parameters`: a JSON schema of an object, as JSON text; "" for none."""

    name: str
    description: str = ""
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class CalledTool:
    """A model's request for a tool. `arguments`: a JSON object as text. Both are untrusted: a model wrote them."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card that llama.cpp can compute on. Bytes; the name is the driver's."""

    name: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Image:
    """An image that goes with a turn: a PNG or JPEG file, within the limits of `picture.size_of`."""

    data: bytes

    @property
    def sha256(self) -> str:
        """Of the file, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Known:
    """What came of an earlier load of the same file with the same options, if the devices are what they were.

    `devices`: their signature then; `layers` that a GPU took; `failed`: its driver ended the worker.
    """

    devices: str
    layers: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation as the template sees it. `role`: system, user, assistant or tool.

    An assistant's turn may hold `calls`, and the `reasoning` that led to them: families differ in whether they want
    to read that again. A tool's turn is the result of the call with the id `call_id`. `images` stand before the text.
    `reasoning_record` is a remote service's own record of its reasoning, for that service alone.
    """

    role: str
    text: str
    images: tuple[Image, ...] = ()
    calls: tuple[CalledTool, ...] = ()
    call_id: str = ""
    reasoning: str = ""
    reasoning_record: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a GGUF header says about itself. Strings are untrusted text, cut to 200 characters."""

    path: str
    name: str
    architecture: str
    size_label: str  # "135M"; empty when unknown
    quantization: str  # "Q4_1"; empty when unknown
    trained_context: int  # tokens; 0 when unknown
    file_bytes: int
    licence: str
    has_template: bool
    template_sha256: str
    read_bytes: int = 0  # of weights, for each token; 0 when unknown


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the model runs and why."""

    device: str  # "CPU", or the GPU's name as the driver gives it
    on_gpu: bool
    gpu_layers: int
    layers: int
    reason: str  # one plain sentence when on the CPU or only partly on the GPU; else empty
    threads: int
    prompt_threads: int
    context_tokens: int
    devices: str = ""  # the signature of the GPUs there are; "" without
    need_bytes: int = 0  # what it was said to need
    gpu_bytes: int = 0  # of that, on GPUs
    batch_tokens: int = 0
    is_mapped: bool = True  # the weights are used as they lie in the file
    gpu_failed: bool = False  # its driver ended a worker, so no GPU was used


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter beside a model. `strength` 1 is what it was trained for, 0 nothing."""

    path: str
    strength: float = 1.0


class ConstraintKind(StrEnum):
    """What the text of a `Constraint` is."""

    JSON = "json"  # any object or list; the text is empty
    SCHEMA = "schema"  # a JSON schema
    GRAMMAR = "grammar"  # GBNF, llama.cpp's notation


@dataclass(frozen=True, slots=True)
class Constraint:
    """What an answer must keep to. A model's thinking before the answer is free."""

    kind: ConstraintKind
    text: str = ""
