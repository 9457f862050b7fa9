"""What models that answer questions about a clip share: settings, targets, texts."""
