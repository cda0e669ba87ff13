"""From fresh data to a promoted model: verbs in a row with results on disk, and checks against poisoned data."""
