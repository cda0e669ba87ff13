"""What clients send by mistake, for every route: made by hand, and generated."""
