"""A page that shows what a network is fed: samples as a training makes them, and what was drawn for each."""
