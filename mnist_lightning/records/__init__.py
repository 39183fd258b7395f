"""What is known of a trained model: its record, its predictions, where they were made."""
