"""What a network costs: time, memory, multiply-adds, receptive field."""
