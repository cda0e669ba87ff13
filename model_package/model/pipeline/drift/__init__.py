"""What new names change, and which changes would poison a model. No check quotes a name."""
