"""The chart in infra/chart_api as helm renders it. No cluster is needed."""
