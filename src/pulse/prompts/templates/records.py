"""The records of prompt templates, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulse.prompts.templates.rendering import variables_of


@dataclass(frozen=True)
class TemplateDraft:
    """A template as somebody wants it. `text` and `system` may have `{{placeholders}}`; `system` stands before `text`.

    `configuration_id` is the model that is offered first.
    """

    name: str
    text: str
    system: str | None = None
    description: str | None = None
    configuration_id: str | None = None


@dataclass(frozen=True)
class Template:
    """A prompt template. `version` counts its saves, from 1, and is what a change names as the one it replaces."""

    id: str
    organization_id: str
    environment_id: str
    name: str
    description: str | None
    configuration_id: str | None
    system: str | None
    text: str
    version: int
    created_at: int
    updated_at: int

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in its placeholders, in the order in which they first stand there."""
        return variables_of(self.system, self.text)


@dataclass(frozen=True)
class TemplateVersion:
    """A template as it was at one save."""

    template_id: str
    version: int
    name: str
    configuration_id: str | None
    system: str | None
    text: str
    created_at: int

    @property
    def variables(self) -> tuple[str, ...]:
        return variables_of(self.system, self.text)


@dataclass(frozen=True)
class VariableSet:
    """Values for the placeholders of a template, under a name.

    A value stands under the whole name of its placeholder (`{"a.b": 1}`) or along its path (`{"a": {"b": 1}}`).
    """

    id: str
    organization_id: str
    template_id: str
    name: str
    values: Mapping[str, Any] = field(repr=False)
    revision: int = 1
    created_at: int = 0
    updated_at: int = 0
