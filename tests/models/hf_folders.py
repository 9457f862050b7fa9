"""Small CLIP and SigLIP models in Hugging Face folders, made without any code of ours."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)
from transformers.utils.logging import disable_progress_bar

disable_progress_bar()

START, END = "<|startoftext|>", "<|endoftext|>"
SIZE = 48  # pixels
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
TEXTS = [
    "a dog catches a frisbee",
    "A man is playing the guitar on a stage in front of many people, and they sing!",
    "rain",
    "",
]


def learned_bpe() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Byte pairs learned from TEXTS; CLIP's two marks have the largest ids, as in CLIP."""
    learner = Tokenizer(BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(TEXTS, trainer)
    model = json.loads(learner.to_str())["model"]
    vocabulary = dict(model["vocab"])
    for mark in (START, END):
        vocabulary[mark] = len(vocabulary)
    return vocabulary, [(left, right) for left, right in model["merges"]]


def clip_folder(folder: Path, *, old_end: bool = False) -> Path:
    """A random CLIP; with `old_end`, its config has `eos_token_id` 2, as the first ones had."""
    vocabulary, merges = learned_bpe()
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges)
    text = {
        **TOWER,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": 24,
        "eos_token_id": 2 if old_end else vocabulary[END],
    }
    vision = {**TOWER, "image_size": SIZE, "patch_size": 16}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=20))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    ).save_pretrained(folder)
    return folder


def siglip_folder(folder: Path) -> Path:
    """A random SigLIP with a tokenizer that ends each text with </s> and pads with it too."""
    learner = Tokenizer(BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(
        [text.lower() for text in TEXTS],
        trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", "</s>"], show_progress=False),
    )
    learner.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learner, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
    )
    text = {
        **TOWER,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 20,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = {**TOWER, "image_size": SIZE, "patch_size": 16}
    torch.manual_seed(0)
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return folder
