"""Where metrics go: always a local CSV file, and Weights & Biases if asked."""
