"""What is told in a video beside its pictures: words that are said, and words that are shown."""
