"""From numbers to figures, tables and documents; nothing is computed or saved here."""
