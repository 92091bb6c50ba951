"""`foveate leaderboard`: every block trained by one fixed protocol, as records that anybody can check and add to."""
