"""The simulator process: reads requests from its socket, runs programs, sends responses."""
