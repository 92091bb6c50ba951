"""Searches hyper-parameters: a space, trials in processes of their own, and a study that goes on after a kill."""
