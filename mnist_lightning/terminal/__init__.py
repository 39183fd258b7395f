"""What a user types and reads: options, presets, one-line errors, progress, wording."""
