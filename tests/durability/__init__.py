"""What the request log keeps when the database is away, the process is killed or the disk is full."""
