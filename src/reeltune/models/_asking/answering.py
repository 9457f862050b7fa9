"""A model as it is asked about a clip: by the scores of its head for a text and a clip."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.models._asking.settings import LOSS, Asked
from reeltune.models._asking.targets import options_in, plain_offer, target_in
from reeltune.nn.precise import precise
from reeltune.objectives.answering import answering, rating
from reeltune.types import Batch, Tokens


class Answering(nn.Module):
    """The part of the model that answers; it needs `config.task`.

    In all of its methods `video` is what `read_video` made of N clips, and `rows` says which of
    them each of B texts is about.
    """

    config: Asked

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Tokens: ...

    @abstractmethod
    def head_scores(
        self, tokens: Tokens, video: Any, rows: Int[Tensor, " B"]
    ) -> Float[Tensor, "B V"]:
        """What the head makes of each text with its clip."""

    def offer(self, question: str, options: Sequence[str]) -> list[str]:
        """The text that is read for each option."""
        return plain_offer(question, options)

    @property
    def answers(self) -> tuple[str, ...]:
        """The closed list of answers, or of classes (V)."""
        return self.config.answers

    def choose(
        self,
        video: Any,
        rows: Int[Tensor, " B"],
        questions: Sequence[str],
        options: Sequence[Sequence[str]],
    ) -> Float[Tensor, "B O"]:
        """The score of each option: how well question and option together fit the clip."""
        each = [text for pair in zip(questions, options, strict=True) for text in self.offer(*pair)]
        of_option = rows.repeat_interleave(len(each) // len(questions))
        return self._scores(self.tokenize(each), video, of_option).view(len(questions), -1)

    def answer(
        self, video: Any, rows: Int[Tensor, " B"], questions: Sequence[str]
    ) -> Float[Tensor, "B V"]:
        """The score of each answer of the list."""
        return self._scores(self.tokenize(questions), video, rows)

    def classify(self, video: Any) -> Float[Tensor, "N C"]:
        """The score of each class of the list; no text is read."""
        rows = torch.arange(len(video.mask))
        return self._scores(self.tokenize([""] * len(rows)), video, rows)

    def rate(self, video: Any, rows: Int[Tensor, " B"], said: Sequence[str]) -> Float[Tensor, " B"]:
        """The sentiment of what is said in a clip."""
        return self._scores(self.tokenize(said), video, rows).squeeze(-1)

    def asked_losses(self, batch: Batch, video: Any) -> dict[str, Tensor]:
        """The loss of the head, by its name; `video` has the clip of each row of the batch."""
        task = self.config.task
        if task is None:
            return {}
        if task == "multiple-choice":
            options, clips, offered = options_in(batch)
            scores = self._scores(options, video, clips).view(-1, offered)
        elif task == "action-recognition":
            scores = self.classify(video)
        else:
            scores = self._scores(batch.tokens, video, torch.arange(len(batch.mask)))
        if task == "sentiment":
            return {LOSS[task]: rating(precise(scores.squeeze(-1)), target_in(batch, "rating"))}
        return {LOSS[task]: answering(precise(scores), target_in(batch, "label"))}

    def _scores(self, tokens: Tokens, video: Any, rows: Int[Tensor, " B"]) -> Float[Tensor, "B V"]:
        if self.config.task is None:
            raise ConfigError(
                "the model has no head that answers; train one with --set config.task=open-ended, "
                "or another task"
            )
        return self.head_scores(tokens, video, rows)
