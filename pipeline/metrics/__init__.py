"""What is counted while scoring, the scores made of it, and how they are shown."""
