"""What all trainings share: the loop, optimisers, schedules and the run folder."""
