"""From what people have to a snapshot of the data: sources, encodings, dialects, columns, cleaning."""
