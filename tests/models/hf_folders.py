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
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
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


def metaclip2_folder(folder: Path) -> Path:
    """A random MetaCLIP 2, whose tokenizer begins with <s> and ends with </s>, as XLM-V's does."""
    tokenizer = sentence_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>")
    text = {
        **TOWER,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 24,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    vision = {**TOWER, "image_size": SIZE, "patch_size": 16}
    torch.manual_seed(0)
    settings = MetaClip2Config(text_config=text, vision_config=vision, projection_dim=20)
    MetaClip2Model(settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    ).save_pretrained(folder)
    return folder


def sentence_tokenizer(special: list[str], form: str) -> PreTrainedTokenizerFast:
    """Pieces learned from TEXTS in small letters after `special` tokens, which have the first ids;
    `form` says where these stand in a text."""
    learner = Tokenizer(BPE(unk_token="<unk>"))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learner.train_from_iterator(
        [text.lower() for text in TEXTS],
        trainers.BpeTrainer(vocab_size=200, special_tokens=special, show_progress=False),
    )
    learner.post_processor = processors.TemplateProcessing(
        single=form, special_tokens=[(name, place) for place, name in enumerate(special)]
    )
    end = form.split()[-1]
    pad = "<pad>" if "<pad>" in special else end
    return PreTrainedTokenizerFast(
        tokenizer_object=learner, unk_token="<unk>", eos_token=end, pad_token=pad
    )


def siglip_folder(folder: Path) -> Path:
    """A random SigLIP with a tokenizer that ends each text with </s> and pads with it too."""
    text = siglip_text(folder, ["<unk>", "</s>"])
    vision = {**TOWER, "image_size": SIZE, "patch_size": 16}
    torch.manual_seed(0)
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return folder


def siglip2_folder(folder: Path) -> Path:
    """A random SigLIP 2 of the kind NaFlex, which reads up to 3 x 3 patches."""
    text = siglip_text(folder, ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"])
    vision = {**TOWER, "num_patches": 9, "patch_size": 16}
    torch.manual_seed(0)
    Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(folder)
    Siglip2ImageProcessorPil(patch_size=16, max_num_patches=9).save_pretrained(folder)
    return folder


def siglip_text(folder: Path, special: list[str]) -> dict[str, int]:
    """Write the tokenizer of a SigLIP, whose second special token ends a text, and return the
    settings of a text tower that fits it."""
    tokenizer = sentence_tokenizer(special, f"$A {special[1]}")
    tokenizer.save_pretrained(folder)
    return {
        **TOWER,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 20,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
