"""Models as ONNX files beside a tokenizer, which encode without torch."""
