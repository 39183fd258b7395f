"""Reading untrusted files, writing files in one step, and downloads."""
