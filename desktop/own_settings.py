"""What a person set for one model alone, and the presets such values can be kept in under a name.

Both lie in the settings' file: `models` by the path of the model's file, `presets` by name. A value that no longer
fits its declaration is passed over. What the organisation manages goes before all of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop.i18n import tr
from desktop.settings import DECLARED, LOADED_WITH, Settings

if TYPE_CHECKING:
    from models.runtime.values import LoadOptions

_MODELS, _PRESETS = "models", "presets"
_LONGEST_NAME = 60
_MOST_PRESETS = 100

Values = dict[str, Any]


def own_values(settings: Settings, model: Path) -> Values:
    """By key, what was set for this model and fits."""
    return _fitting(settings.section(_MODELS).get(str(model)))


def options_for(settings: Settings, model: Path) -> LoadOptions:
    """How this model is loaded."""
    return settings.load_options(own_values(settings, model))


def set_own(settings: Settings, model: Path, key: str, value: Any) -> str:
    """Set a value for this model alone. Returns why it was refused, or an empty string. Raises OSError."""
    if key in settings.managed:
        return tr("This setting is managed by your organisation.")
    if key not in LOADED_WITH:
        raise KeyError(key)
    if problem := DECLARED[key].problem(value):
        return problem
    _store(settings, model, {**own_values(settings, model), key: value})
    return ""


def reset_own(settings: Settings, model: Path, key: str | None = None) -> None:
    """Back to what is set for all models, for one key or for all. Raises OSError."""
    values = own_values(settings, model)
    if key is None:
        values.clear()
    else:
        values.pop(key, None)
    _store(settings, model, values)


def presets(settings: Settings) -> dict[str, Values]:
    """The presets by name, in the order of their names."""
    found = settings.section(_PRESETS)
    return {name: _fitting(found[name]) for name in sorted(found, key=str.casefold)}


def save_preset(settings: Settings, name: str, model: Path) -> str:
    """Keep this model's own values under a name; one of the same name is replaced.

    Returns why the name can't be taken, or an empty string. Raises OSError.
    """
    name = " ".join(name.split())
    known = presets(settings)
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        return tr("A preset needs a name of at most {most} characters.", most=_LONGEST_NAME)
    if len(known) >= _MOST_PRESETS and name not in known:
        return tr("There are {most} presets already. Remove one first.", most=_MOST_PRESETS)
    settings.set_section(_PRESETS, {**known, name: own_values(settings, model)})
    return ""


def apply_preset(settings: Settings, name: str, model: Path) -> None:
    """The preset's values become this model's own, all of them. Raises OSError, KeyError for no such preset."""
    _store(settings, model, presets(settings)[name])


def remove_preset(settings: Settings, name: str) -> None:
    """Models that it was applied to keep their values. Raises OSError."""
    settings.set_section(
        _PRESETS, {kept: values for kept, values in presets(settings).items() if kept != name}
    )


def _store(settings: Settings, model: Path, values: Values) -> None:
    models = settings.section(_MODELS)
    models.pop(str(model), None)
    if values:
        models[str(model)] = values
    settings.set_section(_MODELS, models)


def _fitting(found: object) -> Values:
    if not isinstance(found, dict):
        return {}
    return {
        key: value for key, value in found.items() if key in LOADED_WITH and not DECLARED[key].problem(value)
    }
