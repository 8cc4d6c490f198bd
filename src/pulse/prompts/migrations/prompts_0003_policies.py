"""Row-level security: whom credentials, configurations and templates belong to."""

from pulse.storage.migrations import protect, protect_by, share, table_prefix

revision = "prompts_0003"
down_revision = "prompts_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prefix = table_prefix()
    share(f"{prefix}model_system_keys")
    # What is the installation's own, every organization uses.
    for name in ("model_credentials", "model_configurations", "legacy_models"):
        protect(f"{prefix}{name}", seen="organization_id = 'system'")
    protect_by(f"{prefix}model_buckets", "credential_id", f"{prefix}model_credentials")
    for name in ("prompt_templates", "prompt_variable_sets", "prompt_runs", "prompt_cells"):
        protect(f"{prefix}{name}")
    protect_by(f"{prefix}prompt_template_versions", "template_id", f"{prefix}prompt_templates")
