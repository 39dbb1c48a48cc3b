"""From one release of an archive to the next: what changed, what has to be done again, and what came of it."""
