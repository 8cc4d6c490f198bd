"""One message: matched to workflows, evaluated in the sandbox, ended as an outcome."""
