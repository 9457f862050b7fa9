"""The network of ResNet-32, and how it varies its pictures."""
