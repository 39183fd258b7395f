"""Several models, or seeds of one: loaded, compared with paired statistics, concluded from."""
