"""Work on videos as durable jobs: submitted, queued, run by workers, followed."""
