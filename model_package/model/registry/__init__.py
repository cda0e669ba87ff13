"""The history of bundles: a store with a champion, its ledger, the promotion gate, MLflow."""
