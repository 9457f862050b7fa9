"""Small embedding models in Hugging Face folders, made without any code of ours."""

from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import (
    EmbeddingGemma2Config,
    EmbeddingGemma2Model,
    Gemma4ImageProcessorPil,
    GemmaTokenizer,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.utils.logging import disable_progress_bar

disable_progress_bar()

GEMMA_MARKS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<boi>", "<img>", "<eoi>", "<video>"]
QWEN_MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_MARKS += ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]


def gemma_tokenizer() -> GemmaTokenizer:
    """Letters, some pairs of them, and a piece for each byte; a text begins and ends with marks."""
    letters = sorted({*"abcdefghijklmnopqrstuvwxyzAM|:,!▁"})
    merges = [("▁", "a"), ("o", "g"), ("q", "u"), ("▁", "q")]
    words = [*GEMMA_MARKS, *[f"<0x{byte:02X}>" for byte in range(256)], *letters]
    words += ["".join(pair) for pair in merges]
    vocabulary = {word: place for place, word in enumerate(words)}
    return GemmaTokenizer(
        vocab=vocabulary,
        merges=merges,
        add_eos_token=True,
        extra_special_tokens={
            "boi_token": "<boi>",
            "image_token": "<img>",
            "eoi_token": "<eoi>",
            "video_token": "<video>",
        },
    )


def gemma_folder(folder: Path, *, sound: bool = False) -> Path:
    """A random EmbeddingGemma 2 that sees pictures of up to 70 tokens; with `sound`, one that hears
    too."""
    tokenizer = gemma_tokenizer()
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "global_head_dim": 32,
        "num_global_key_value_heads": 1,
        "sliding_window_pattern": 3,
        "sliding_window": 4,
        "hidden_size_per_layer_input": 8,
        "embedding_dim": 200,
        "max_position_embeddings": 96,
    }
    vision = {
        "model_type": "gemma4_vision",
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "patch_size": 2,
        "position_embedding_size": 64,
    }
    audio = {
        "model_type": "gemma4_audio",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "output_proj_dims": 16,
    }
    ids = {f"{name}_token_id": GEMMA_MARKS.index(f"<{name}>") for name in ("boi", "eoi", "video")}
    torch.manual_seed(0)
    settings = EmbeddingGemma2Config(
        text_config=text,
        vision_config=vision,
        audio_config=audio if sound else None,
        image_token_id=GEMMA_MARKS.index("<img>"),
        **ids,
    )
    lively(EmbeddingGemma2Model(settings)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Gemma4ImageProcessorPil(patch_size=2, max_soft_tokens=70).save_pretrained(folder)
    return folder


def qwen_tokenizer() -> Qwen2Tokenizer:
    """A token for each byte and for some pairs."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("s", "e"), ("Ġ", "a"), ("Ġ", "i")]
    words = [*QWEN_MARKS, *letters, *["".join(pair) for pair in merges]]
    vocabulary = {word: place for place, word in enumerate(words)}
    return Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=QWEN_MARKS[1:],
    )


def qwen_folder(folder: Path) -> Path:
    """A random Qwen3-VL with the head by which it writes, as the hub holds it."""
    tokenizer = qwen_tokenizer()
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 80,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 160,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [4, 2, 2],
            "mrope_interleaved": True,
        },
    }
    vision = {
        "hidden_size": 32,
        "depth": 2,
        "num_heads": 2,
        "intermediate_size": 48,
        "out_hidden_size": 80,
        "deepstack_visual_indexes": [0],
        "patch_size": 4,
        "num_position_embeddings": 16,
    }
    marks = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    marks |= {f"vision_{end}_token_id": f"<|vision_{end}|>" for end in ("start", "end")}
    ids = {name: QWEN_MARKS.index(mark) for name, mark in marks.items()}
    torch.manual_seed(0)
    settings = Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
    lively(Qwen3VLForConditionalGeneration(settings)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Qwen2VLImageProcessorPil(
        patch_size=4,
        size={"shortest_edge": 256, "longest_edge": 1024},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    ).save_pretrained(folder)
    return folder


def lively(model: torch.nn.Module) -> torch.nn.Module:
    """The model with weights so large that what it is given changes what it makes."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=weight.shape[-1] ** -0.5)
    return model
