"""What learns: tasks, models, training."""
