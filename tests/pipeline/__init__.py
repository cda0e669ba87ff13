"""The pipeline under poisoned drops and kills, with real names, real processes and a real service."""
