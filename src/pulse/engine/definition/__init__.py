"""What a workflow is: its steps, what is wrong with a definition, its JSON form and JSON Schema. No I/O."""
