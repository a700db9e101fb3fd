"""Which jobs may run now: a job waits for the one that it starts from, and fails with it."""

from collections.abc import Sequence
from dataclasses import replace

from .worker import Job


class Queue:
    """The jobs that have not started yet, and the destinations of all that have not ended."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.waiting = list(jobs)
        self.unfinished = {job.destination for job in jobs}

    def take(self, device: str) -> Job | None:
        """Return the first job that need not wait, to run on a device; None if all must wait."""
        for job in self.waiting:
            if job.after not in self.unfinished:
                self.waiting.remove(job)
                return replace(job, device=device)
        return None

    def end(self, job: Job, reason: str) -> list[tuple[Job, str]]:
        """Note that a job ended; return it and the followers that fail with it, with reasons."""
        self.unfinished.discard(job.destination)
        ended = [(job, reason)]
        followers = [f for f in self.waiting if reason and f.after == job.destination]
        for follower in followers:
            self.waiting.remove(follower)
            because = f"its first stage, {job.cell.use} seed {job.cell.seed}, failed: {reason}"
            ended += self.end(follower, because)
        return ended
