"""`pulse organizations export|apply`: the whole configuration of an organization as a folder of YAML."""
