"""Libraries of videos: index them, search them, look after them."""
