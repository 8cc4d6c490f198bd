-- The tables of the seed's section "Database Schema" that a run touches; two indexes on what they refer to are ours.
CREATE TABLE pulse_triggers (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  resource_type TEXT,
  resource_id TEXT,
  environment TEXT,
  payload JSONB NOT NULL,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE pulse_workflow_definitions (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  trigger_type TEXT NOT NULL,
  environment_filter TEXT,
  resource_type_filter TEXT,
  steps JSONB NOT NULL,
  config JSONB NOT NULL,
  is_enabled BOOLEAN NOT NULL DEFAULT true,
  cron_expression TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE pulse_workflow_runs (
  id TEXT PRIMARY KEY,
  definition_id TEXT NOT NULL REFERENCES pulse_workflow_definitions (id),
  tenant_id TEXT NOT NULL,
  trigger_id TEXT NOT NULL REFERENCES pulse_triggers (id),
  status TEXT NOT NULL,
  context JSONB NOT NULL DEFAULT '{}',
  current_step_index INTEGER NOT NULL DEFAULT 0,
  is_replay BOOLEAN NOT NULL DEFAULT false,
  definition_snapshot JSONB NOT NULL,
  started_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ,
  failed_at TIMESTAMPTZ,
  canceled_at TIMESTAMPTZ,
  cancel_reason TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX ON pulse_workflow_runs (trigger_id);

CREATE TABLE pulse_workflow_step_runs (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES pulse_workflow_runs (id),
  tenant_id TEXT NOT NULL,
  step_index INTEGER NOT NULL,
  step_type TEXT NOT NULL,
  step_name TEXT NOT NULL,
  status TEXT NOT NULL,
  scheduled_for TIMESTAMPTZ,
  started_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ,
  result JSONB,
  error_message TEXT,
  branch_index INTEGER,
  parent_step_run_id TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX ON pulse_workflow_step_runs (run_id);
