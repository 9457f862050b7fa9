"""Speech as text: Whisper, which finds its weights, hears what is said and doubts itself."""
