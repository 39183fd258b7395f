"""Reading files from strangers, writing whole files or none, downloads."""
