"""What all trainings share: pictures drawn once, the loop, its workers, files."""
