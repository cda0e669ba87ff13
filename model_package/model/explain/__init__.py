"""Why an answer came out as it did: letter contributions and similar training names."""
