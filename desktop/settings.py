"""Every setting, declared once: key, default, words, limits. And the file they are kept in.

The file is JSON, written to a new file and renamed, so that a crash leaves the old or the new one, never half.
Values that no longer fit their declaration fall back to the default; keys this version doesn't know are kept.
Secrets are not settings.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop.files import read_json, write_json
from desktop.i18n import tr

if TYPE_CHECKING:
    from models.runtime.values import LoadOptions, Sampling

log = logging.getLogger(__name__)


class Kind(StrEnum):
    """How a setting is edited and checked."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    INTEGER = "integer"
    OPTIONAL_INTEGER = "optional_integer"  # None means automatic
    CHOICE = "choice"
    SWITCH = "switch"
    FILES = "files"  # a list of paths; edited elsewhere than in the settings dialog


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `label` and `explanation` are English source texts; they pass through `tr` when shown."""

    key: str
    default: Any
    kind: Kind
    section: str = ""
    label: str = ""
    explanation: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float = 1
    choices: tuple[tuple[str, str], ...] = ()
    automatic: str = ""  # what None is called for an OPTIONAL_INTEGER
    policy_may_lock: bool = True

    def problem(self, value: Any) -> str:
        """Why this value can't be taken, as a sentence; empty when it can."""
        match self.kind:
            case Kind.TEXT | Kind.LONG_TEXT:
                return "" if isinstance(value, str) else tr("This must be text.")
            case Kind.SWITCH:
                return "" if isinstance(value, bool) else tr("This is either on or off.")
            case Kind.CHOICE:
                known = [choice for choice, _ in self.choices]
                return "" if value in known else tr("This is not one of the choices.")
            case Kind.FILES:
                fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
                return "" if fits else tr("This must be a list of files.")
            case Kind.OPTIONAL_INTEGER if value is None:
                return ""
            case Kind.NUMBER | Kind.INTEGER | Kind.OPTIONAL_INTEGER:
                return self._number_problem(value)
        return ""

    def _number_problem(self, value: Any) -> str:
        whole = self.kind is not Kind.NUMBER
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            return tr("This must be a whole number.") if whole else tr("This must be a number.")
        if self.minimum is not None and not value >= self.minimum:
            return tr("The smallest value is {minimum}.", minimum=f"{self.minimum:g}")
        if self.maximum is not None and not value <= self.maximum:
            return tr("The largest value is {maximum}.", maximum=f"{self.maximum:g}")
        return ""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "chat.system_prompt",
        "You are a helpful assistant.",
        Kind.LONG_TEXT,
        "Answers",
        "Instructions for every conversation",
        "The model reads this before each conversation, for example how long its answers should be.",
    ),
    Setting(
        "sampling.temperature",
        0.7,
        Kind.NUMBER,
        "Answers",
        "Temperature",
        "How freely words are chosen. 0 always takes the likeliest one; above 1 it gets wild.",
        0,
        2,
        0.1,
    ),
    Setting(
        "sampling.top_p",
        0.95,
        Kind.NUMBER,
        "Answers",
        "Top P",
        "Only the likeliest words that together make up this share are considered. 1 considers all.",
        0.01,
        1,
        0.05,
    ),
    Setting(
        "sampling.top_k",
        40,
        Kind.INTEGER,
        "Answers",
        "Top K",
        "Only this many of the likeliest words are considered. 0 considers all.",
        0,
        1000,
    ),
    Setting(
        "sampling.min_p",
        0.05,
        Kind.NUMBER,
        "Answers",
        "Min P",
        "Words less likely than this share of the likeliest one are left out. 0 leaves none out.",
        0,
        1,
        0.01,
    ),
    Setting(
        "sampling.repeat_penalty",
        1.0,
        Kind.NUMBER,
        "Answers",
        "Repetition penalty",
        "Makes words that were just used less likely, those of the question too. 1 changes nothing.",
        0.5,
        2,
        0.05,
    ),
    Setting(
        "sampling.max_tokens",
        None,
        Kind.OPTIONAL_INTEGER,
        "Answers",
        "Longest answer",
        "In tokens; a token is about three quarters of a word. Without a limit the model decides.",
        1,
        1_000_000,
        64,
        automatic="No limit",
    ),
    Setting(
        "sampling.stop",
        "",
        Kind.LONG_TEXT,
        "Answers",
        "End an answer before",
        "Words at which an answer ends, one in each line. They are not shown. Most people need none.",
    ),
    Setting(
        "sampling.seed",
        None,
        Kind.OPTIONAL_INTEGER,
        "Answers",
        "Seed",
        "With the same seed, model and settings, the same question gets the same answer.",
        0,
        2**31 - 1,
        automatic="New for each answer",
    ),
    Setting(
        "model.context_tokens",
        None,
        Kind.OPTIONAL_INTEGER,
        "Model",
        "Context",
        "How much of a conversation the model can see, in tokens. More needs more memory.",
        256,
        1_048_576,
        1024,
        automatic="What the model was made for, at most 8,192",
    ),
    Setting(
        "costs.watts",
        0.0,
        Kind.NUMBER,
        "Costs",
        "Power while answering, in watts",
        "Your own estimate of what this computer takes while a model on it answers. 0: what "
        "the machine tells, if it does.",
        0,
        5000,
        10,
    ),
    Setting(
        "costs.per_kwh",
        0.30,
        Kind.NUMBER,
        "Costs",
        "Price of electricity, for a kilowatt-hour",
        "In US dollars, like the prices of providers.",
        0,
        10,
        0.01,
    ),
    Setting(
        "costs.machine",
        0.0,
        Kind.NUMBER,
        "Costs",
        "Price of a machine to compare with",
        "In US dollars. From it and your own use follows when answering here costs less than a provider.",
        0,
        1_000_000,
        100,
    ),
    Setting("costs.measured_watts", 0.0, Kind.NUMBER, policy_may_lock=False),
    Setting("model.remote", "", Kind.TEXT, policy_may_lock=False),
    Setting(
        "remote.go_on_here",
        False,
        Kind.SWITCH,
        "Remote models",
        "Go on here when a remote model can't answer",
        "When a provider can't be reached, is busy, or its budget is spent, the model on this "
        "device answers instead. "
        "The answer says so. Without it you are asked.",
    ),
    Setting(
        "model.threads",
        None,
        Kind.OPTIONAL_INTEGER,
        "Model",
        "Processor threads",
        "How many cores work on an answer. Automatic leaves one core free for the window.",
        1,
        512,
        automatic="Automatic",
    ),
    Setting(
        "model.gpu_layers",
        None,
        Kind.OPTIONAL_INTEGER,
        "Model",
        "Layers on the graphics card",
        "How much of the model runs on the graphics card. 0 keeps it all on the processor.",
        0,
        10_000,
        automatic="As many as fit",
    ),
    Setting(
        "model.idle_minutes",
        30,
        Kind.OPTIONAL_INTEGER,
        "Model",
        "Free the memory after",
        "Minutes without a question after which the model leaves memory. The next question loads it again.",
        1,
        1440,
        5,
        automatic="Never",
    ),
    Setting(
        "model.most_loaded",
        None,
        Kind.OPTIONAL_INTEGER,
        "Model",
        "Models in memory",
        "How many models stay in memory, so that changing between them is fast. One that was not used for longest "
        "leaves first.",
        1,
        16,
        automatic="As many as fit",
    ),
    Setting(
        "model.cache_type",
        "f16",
        Kind.CHOICE,
        "Speed and memory",
        "Precision of the context",
        "What the model keeps of a conversation. Less precise takes less memory; on a processor it is slower.",
        choices=(("f16", "Full"), ("q8_0", "Half (8 bits)"), ("q4_0", "Quarter (4 bits)")),
    ),
    Setting(
        "model.flash_attention",
        "auto",
        Kind.CHOICE,
        "Speed and memory",
        "Flash attention",
        "A way to compute with less memory. A less precise context needs it.",
        choices=(("auto", "Where it helps"), ("on", "Always"), ("off", "Never")),
    ),
    Setting(
        "model.batch_tokens",
        None,
        Kind.OPTIONAL_INTEGER,
        "Speed and memory",
        "Tokens read at once",
        "More can read a long text faster on a graphics card, takes more memory, and stops later.",
        32,
        8192,
        128,
        automatic="512",
    ),
    Setting(
        "model.kept_gigabytes",
        2.0,
        Kind.NUMBER,
        "Speed and memory",
        "Keep what was read",
        "Gigabytes on this disk for what models have read of recent conversations. Coming back to a long one is then "
        "fast. 0 keeps nothing.",
        0,
        1000,
        0.5,
    ),
    Setting(
        "model.map_file",
        True,
        Kind.SWITCH,
        "Speed and memory",
        "Use the file as memory",
        "The model starts faster and shares memory with the system. Switch it off for files on a network drive.",
    ),
    Setting(
        "model.lock_memory",
        False,
        Kind.SWITCH,
        "Speed and memory",
        "Keep the model in memory",
        "The system may not move it to disk. It needs permission, and enough memory for everything else.",
    ),
    Setting(
        "model.speculation",
        "off",
        Kind.CHOICE,
        "Speed and memory",
        "Guess ahead",
        "Words that followed before are guessed and checked together. Answers stay the same; they come faster where "
        "they repeat a text, and can come slower elsewhere.",
        choices=(("off", "Never"), ("lookup", "From the conversation"), ("draft", "With a draft model")),
    ),
    Setting(
        "model.draft",
        "",
        Kind.TEXT,
        "Speed and memory",
        "Draft model",
        "The file of a small model of the same family, which guesses for a large one. It takes memory of its own.",
    ),
    Setting(
        "model.rope_type",
        "auto",
        Kind.CHOICE,
        "Speed and memory",
        "Positions",
        "How the model tells where in a text it is. Its makers have set this; change it only for a longer context.",
        choices=(("auto", "As in the file"), ("none", "As trained"), ("linear", "Linear"), ("yarn", "YaRN")),
    ),
    Setting(
        "model.rope_stretch",
        1.0,
        Kind.NUMBER,
        "Speed and memory",
        "Stretch of positions",
        "With 2, a model sees twice the text it was made for, less precisely. 1 changes nothing.",
        1,
        64,
        0.5,
    ),
    Setting(
        "model.rope_base",
        None,
        Kind.OPTIONAL_INTEGER,
        "Speed and memory",
        "Base of positions",
        "The base frequency of the positions (RoPE). A larger one reaches farther back in a text.",
        1,
        1_000_000_000,
        10_000,
        automatic="As in the file",
    ),
    Setting(
        "appearance.theme",
        "system",
        Kind.CHOICE,
        "Appearance",
        "Theme",
        "Light, dark, or what the rest of the desktop uses.",
        choices=(("system", "Like the desktop"), ("light", "Light"), ("dark", "Dark")),
    ),
    Setting(
        "appearance.text_percent",
        100,
        Kind.INTEGER,
        "Appearance",
        "Text size",
        "In percent of the normal size.",
        80,
        200,
        10,
    ),
    Setting(
        "composer.enter_sends",
        True,
        Kind.SWITCH,
        "Composer",
        "Enter sends the message",
        "Shift+Enter then makes a new line. Switched off, Enter makes a new line and Ctrl+Enter sends.",
    ),
    Setting("model.opened_files", [], Kind.FILES, policy_may_lock=False),
    Setting("model.current", "", Kind.TEXT, policy_may_lock=False),
    Setting("model.folders", [], Kind.FILES),  # looked into for models; edited on the models page
)

LOADED_WITH = (
    *("model.context_tokens", "model.threads", "model.gpu_layers", "model.cache_type"),
    *("model.flash_attention", "model.batch_tokens", "model.map_file", "model.lock_memory"),
    *("model.speculation", "model.draft"),
    *("model.rope_type", "model.rope_stretch", "model.rope_base"),
)
"""Settings that need the model loaded anew. Each model may have its own (`own_settings`)."""

DECLARED: Mapping[str, Setting] = {setting.key: setting for setting in SETTINGS}


@dataclass
class Settings:
    """The settings of one person. `managed` values win over the person's and can't be changed."""

    path: Path
    managed: Mapping[str, Any] = field(default_factory=dict)
    put_aside: Path | None = None  # where an unreadable settings file was kept
    _values: dict[str, Any] = field(default_factory=dict)

    def load(self) -> None:
        """Read the file. An unreadable one is kept aside under another name and the defaults apply."""
        try:
            self._values = read_json(self.path)
        except (OSError, ValueError):
            self._keep_aside()

    def _keep_aside(self) -> None:
        aside = self.path.with_name(
            f"settings.unreadable-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
        )
        try:
            self.path.rename(aside)
        except OSError as error:
            log.info("the unreadable settings file could not be renamed: %s", error)
        else:
            self.put_aside = aside

    def get(self, key: str) -> Any:
        """The value in force: managed, else the person's when it is valid, else the default."""
        setting = DECLARED[key]
        for values in (self.managed, self._values):
            if key in values and not setting.problem(values[key]):
                return values[key]
        return setting.default

    def set(self, key: str, value: Any) -> str:
        """Take and save a value. Returns why it was refused, or an empty string.

        Raises OSError when the file can't be written; the value is in force for this run all the same.
        """
        if key in self.managed:
            return tr("This setting is managed by your organisation.")
        if problem := DECLARED[key].problem(value):
            return problem
        self._values[key] = value
        self._save()
        return ""

    def reset(self, key: str) -> None:
        """Back to the default. Raises OSError when the file can't be written."""
        if self._values.pop(key, None) is not None:
            self._save()

    def _save(self) -> None:
        write_json(self.path, self._values)

    def sampling(self) -> Sampling:
        from models.runtime.values import Sampling

        return Sampling(
            temperature=float(self.get("sampling.temperature")),
            top_k=self.get("sampling.top_k"),
            top_p=float(self.get("sampling.top_p")),
            min_p=float(self.get("sampling.min_p")),
            repeat_penalty=float(self.get("sampling.repeat_penalty")),
            seed=self.get("sampling.seed"),
            stop=tuple(line for line in self.get("sampling.stop").splitlines() if line.strip()),
        )

    def section(self, name: str) -> dict[str, Any]:
        """What is kept beside the settings under this name, as the file has it: nothing in it was checked."""
        found = self._values.get(name)
        return dict(found) if isinstance(found, dict) else {}

    def set_section(self, name: str, content: Mapping[str, Any]) -> None:
        """Raises OSError when the file can't be written; it is in force for this run all the same."""
        self._values[name] = dict(content)
        self._save()

    def load_options(self, own: Mapping[str, Any] | None = None) -> LoadOptions:
        """How models are loaded. `own`: checked values of one model, which go before those for all."""
        from models.runtime.values import CacheType, LoadOptions, RopeScaling, Speculation

        def get(key: str) -> Any:
            return own[key] if own and key in own and key not in self.managed else self.get(key)

        rope = get("model.rope_type")
        speculation = Speculation(get("model.speculation"))
        draft = os.path.expanduser(get("model.draft").strip()) if speculation is Speculation.DRAFT else ""
        if speculation is Speculation.DRAFT and not draft:
            speculation = Speculation.OFF  # it was not named yet
        return LoadOptions(
            context_tokens=get("model.context_tokens"),
            threads=get("model.threads"),
            gpu_layers=get("model.gpu_layers"),
            cache_type=CacheType(get("model.cache_type")),
            flash_attention={"on": True, "off": False}.get(get("model.flash_attention")),
            batch_tokens=get("model.batch_tokens"),
            map_file=get("model.map_file"),
            lock_memory=get("model.lock_memory"),
            rope_scaling=None if rope == "auto" else RopeScaling(rope),
            rope_base=get("model.rope_base"),
            rope_stretch=float(get("model.rope_stretch")),
            speculation=speculation,
            draft=draft,
        )
