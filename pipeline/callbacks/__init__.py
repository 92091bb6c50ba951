"""What shows and keeps what happens while a task runs; a task runs without any of them."""
