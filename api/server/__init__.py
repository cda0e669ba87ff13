"""What uvicorn lacks: deadlines, bounds and an orderly end."""
