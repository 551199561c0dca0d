"""Before a session: the machine, the streams, a rehearsal."""
