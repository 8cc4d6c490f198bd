"""What is wrong with a run that somebody asks for: every fault, at its path."""

import re
from collections.abc import Iterator

from pulse.core.errors import Fault
from pulse.prompts.faults import MAX_TOKENS
from pulse.prompts.templates.assertions.keywords import schema_faults
from pulse.prompts.templates.assertions.rules import assertion_faults
from pulse.prompts.templates.faults import set_faults
from pulse.prompts.templates.runs.records import Row, RunDraft, Variant

MAX_VARIANTS = 8
MAX_CELLS = 1_000
MAX_IMAGES = 10
_PICTURE = re.compile(r"https?://[!-~]+\Z|data:image/[a-z]+;base64,[A-Za-z0-9+/]+=*\Z")


def run_faults(draft: RunDraft) -> list[Fault]:
    """The faults of a run, but for those of what it refers to."""
    faults = [*_size_faults(draft), *assertion_faults(draft.assertions)]
    for at, variant in enumerate(draft.variants):
        faults.extend(_variant_faults(variant, f"variants.{at}"))
    for at, row in enumerate(draft.rows):
        found = set_faults(row.name, row.values)
        faults.extend(Fault(f"rows.{at}.{fault.path}", fault.code, fault.message) for fault in found)
        faults.extend(_image_faults(row, f"rows.{at}.images"))
    if draft.schema is not None:
        faults.extend(schema_faults(draft.schema))
    return faults


def _size_faults(draft: RunDraft) -> Iterator[Fault]:
    if not 1 <= len(draft.variants) <= MAX_VARIANTS:
        yield Fault("variants", "invalid_length", f"A run has 1 to {MAX_VARIANTS} variants.")
    rows = len(draft.set_ids) + len(draft.rows)
    if rows * len(draft.variants) > MAX_CELLS:
        yield Fault("rows", "too_many", f"Rows and variants make at most {MAX_CELLS:,} answers: leave out some rows.")
    if len(set(draft.set_ids)) < len(draft.set_ids):
        yield Fault("setIds", "repeated", "A set of values stands here twice.")


def _image_faults(row: Row, path: str) -> Iterator[Fault]:
    if len(row.images) > MAX_IMAGES:
        yield Fault(path, "too_many", f"A row has at most {MAX_IMAGES} pictures.")
    for at, address in enumerate(row.images):
        if not _PICTURE.match(address):
            yield Fault(f"{path}.{at}", "invalid_url", "A picture's address begins with https:// or data:image/.")


def _variant_faults(variant: Variant, path: str) -> Iterator[Fault]:
    if variant.temperature is not None and not 0 <= variant.temperature <= 2:
        yield Fault(f"{path}.temperature", "out_of_range", "This is a number from 0 to 2.")
    if variant.max_tokens is not None and not 1 <= variant.max_tokens <= MAX_TOKENS:
        yield Fault(f"{path}.maxTokens", "out_of_range", "This is a number from 1.")
