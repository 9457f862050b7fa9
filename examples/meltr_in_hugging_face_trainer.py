"""MELTR in the Trainer of Hugging Face: `python examples/meltr_in_hugging_face_trainer.py`.

A small BERT with random weights learns whether two halves of a row of words belong together, and
beside it to fill in words that are hidden, which may or may not help. Two methods of the Trainer
are your own: `compute_loss` melts the losses, and `training_step` lets MELTR learn.
"""

import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForPreTraining, Trainer, TrainingArguments

from reeltune.meltr import Melt

WORDS, LENGTH, MASK, HIDDEN = 32, 8, 1, 0.15  # of a row; the id of a hidden word; how many are


def compute_losses(model: Any, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = model(input_ids=batch["input_ids"])
    words = found.prediction_logits.flatten(0, 1)
    together = found.seq_relationship_logits
    return {
        "together": nn.functional.cross_entropy(together, batch["together"]),
        "words": nn.functional.cross_entropy(words, batch["words"].flatten()),
    }


class Melting(Trainer):  # type: ignore[misc]
    """Adds gradients of the melted loss, and moves MELTR after every K steps."""

    melt: Melt

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        return self.melt(compute_losses(model, inputs))

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.melt.update(inputs, share=1 / self.args.gradient_accumulation_steps)
        return loss


def rows(count: int, seed: int) -> list[dict[str, Tensor]]:
    """Words of one of two halves of the vocabulary; in every second row the end is of the other."""
    source = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(count):
        kind, together = (int(torch.randint(2, (), generator=source)) for _ in range(2))
        half, low = WORDS // 2 - 1, torch.tensor([kind, kind if together else 1 - kind])
        start = 2 + low.repeat_interleave(LENGTH // 2) * half
        words = start + torch.randint(half, (LENGTH,), generator=source)
        hidden = torch.rand(LENGTH, generator=source) < HIDDEN
        shown = words.masked_fill(hidden, MASK)
        made.append({"input_ids": shown, "words": words, "together": torch.tensor(together)})
    return made


def main() -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertForPreTraining(BertConfig(vocab_size=WORDS, intermediate_size=32, **sizes))
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder, max_steps=24, per_device_train_batch_size=8, gradient_accumulation_steps=2,
            learning_rate=3e-3, use_cpu=True, report_to=[], disable_tqdm=True,
            save_strategy="no", logging_strategy="no", remove_unused_columns=False,
        )  # fmt: skip
        trainer = Melting(model, settings, train_dataset=rows(384, seed=1))
        held_out = trainer.get_eval_dataloader(rows(128, seed=2))
        trainer.melt = Melt(model, compute_losses, primary="together", judge_on=held_out)
        trainer.train()
    for name in ("together", "words"):
        last = trainer.melt.facts
        print(f"{name}: loss {last[name]:.2f}, weight {last[f'slope {name}']:.2f}")


if __name__ == "__main__":
    main()
