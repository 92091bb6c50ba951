"""What happens where a loss or a gradient is not finite: it is named, and can be replayed."""
