"""What MELTR learned in a run: the slopes of the losses, and plots of them."""
