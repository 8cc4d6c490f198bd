"""An organization as a folder: the text of every file, exactly as it is exported, and what the shell must hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CANARY = "canary-of-a-secret"
SHELL = {
    "OPENAI_KEY": f"{CANARY}-openai",
    "TEAM_TOKEN": f"{CANARY}-header",
    "OLD_TOKEN": f"{CANARY}-token",
    "DEV_TOKEN": f"{CANARY}-variable",
}

FILES: dict[str, str] = {
    "organization.yaml": "format: pulse-organization-1\nname: Acme\n",
    "teams/support.yaml": """\
name: Support
members:
- kim@acme.example
rights:
  Live / EU: Guest
  dev: User
""",
    "credentials/openai.yaml": """\
name: OpenAI
provider: openai
authType: api_key
description: 'Ours: for everything'
requestsPerMinute: 60
secrets:
- apiKey
- customHeaders
apiKeyFrom: OPENAI_KEY
customHeadersFrom:
  X-Team: TEAM_TOKEN
""",
    "legacy-models/old.yaml": """\
name: Old
modelUrl: https://models.example.com/v1
secrets:
- token
tokenFrom: OLD_TOKEN
""",
    "models/fast.yaml": """\
name: Fast
model: openai/gpt-4o-mini
credential: OpenAI
defaultTemperature: null
defaultMaxTokens: 900
isDefault: true
""",
    "models/free.yaml": """\
name: Free
model: mock/mock-small
credential: Shared
credentialScope: system
defaultMaxTokens: 4096
isVisible: false
priority: 7
""",
    "environments/dev/environment.yaml": """\
name: dev
variables:
- name: TOKEN
  valueFrom: DEV_TOKEN
sources:
- name: github
  kind: github
- name: shop
  kind: none
""",
    "environments/dev/prompts/summary.yaml": """\
name: Summary
description: For issues
modelConfiguration: Standard
modelConfigurationScope: system
system: Be short.
text: |
  Summarise {{issue.title}}.
  For {{reader}}: "1 # 2"
variableSets:
- name: A crash
  values:
    issue:
      title: Crash
    reader: 'yes'
- name: A wish
""",
    "environments/dev/workflows/follow-up.yaml": """\
name: Follow up
priority: 20
isActive: false
entities:
  start:
    name: Start
    entityType: event
    tfCondition: Single Path
workflowData:
  root:
    entityId: start
""",
    "environments/dev/workflows/orders.yaml": """\
name: Orders
description: Large ones
priority: 10
entities:
  start:
    name: Start
    entityType: event
    condition:
      type: rule
      field: type
      comparison: equals
      value: order
    tfCondition: Single Path
  ask:
    name: Ask
    entityType: prompt
    tfCondition: Single Path
    prompt: Hello
    modelConfiguration: Fast
  ask-the-old-one:
    name: Ask the old one
    entityType: prompt
    tfCondition: Single Path
    prompt: Hello
    modelId: Old
workflowData:
  root:
    entityId: start
    children:
    - entityId: ask
      children:
      - entityId: ask-the-old-one
        children:
        - workflowId: Follow up
          entityType: workflow
""",
    "environments/live-eu/environment.yaml": "name: Live / EU\n",
}


def written(folder: Path, changed: Mapping[str, str | None] | None = None, files: Mapping[str, str] = FILES) -> Path:
    """A folder with these files (by default the house's), some of them changed or, with None, left out."""
    for path, text in {**files, **(changed or {})}.items():
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """The text of every file of a folder."""
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


def without(path: str, *fields: str) -> str:
    """The text of a file without these fields, or without those that name shell variables."""
    document: dict[str, Any] = yaml.safe_load(FILES[path])
    left = {name: value for name, value in document.items() if name not in fields}
    return yaml.safe_dump(left, sort_keys=False)
