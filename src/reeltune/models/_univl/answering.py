"""UniVL as it is asked about a clip: a linear head on the summary of its cross encoder."""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from reeltune.errors import ConfigError
from reeltune.models._asking.settings import LOSS
from reeltune.models._asking.targets import options_in, plain_offer, target_in
from reeltune.models._bert.words import WordPieces
from reeltune.models._univl import towers
from reeltune.models._univl.network import Network, precise, rows
from reeltune.models._univl.settings import Settings
from reeltune.objectives.answering import answering, rating
from reeltune.types import Batch, Tokens


class Answering(nn.Module):
    """The part of the model that answers; it needs `config.task`.

    In all of its methods `video` is what `read_video` made of N clips, and `rows` says which of
    them each of B texts is about.
    """

    config: Settings
    network: Network
    words: WordPieces

    @property
    def answers(self) -> tuple[str, ...]:
        """The closed list of answers, or of classes (V)."""
        return self.config.answers

    def choose(
        self,
        video: towers.Sequence,
        rows: Int[Tensor, " B"],
        questions: Sequence[str],
        options: Sequence[Sequence[str]],
    ) -> Float[Tensor, "B O"]:
        """The score of each option: how well question and option together fit the clip."""
        each = [
            text for pair in zip(questions, options, strict=True) for text in plain_offer(*pair)
        ]
        of_option = rows.repeat_interleave(len(each) // len(questions))
        return self._scores(self._encode(each), video, of_option).view(len(questions), -1)

    def answer(
        self, video: towers.Sequence, rows: Int[Tensor, " B"], questions: Sequence[str]
    ) -> Float[Tensor, "B V"]:
        """The score of each answer of the list."""
        return self._scores(self._encode(questions), video, rows)

    def classify(self, video: towers.Sequence) -> Float[Tensor, "N C"]:
        """The score of each class of the list; no text is read."""
        return self._scores(self.words.nothing(len(video.mask)), video)

    def rate(
        self, video: towers.Sequence, rows: Int[Tensor, " B"], said: Sequence[str]
    ) -> Float[Tensor, " B"]:
        """The sentiment of what is said in a clip."""
        return self._scores(self._encode(said), video, rows).squeeze(-1)

    def asked_losses(self, batch: Batch, video: towers.Sequence) -> dict[str, Tensor]:
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
            scores = self._scores(batch.tokens, video)
        if task == "sentiment":
            return {LOSS[task]: rating(precise(scores.squeeze(-1)), target_in(batch, "rating"))}
        return {LOSS[task]: answering(precise(scores), target_in(batch, "label"))}

    def _encode(self, texts: Sequence[str]) -> Tokens:
        return self.words.encode(texts, self.config.words)

    def _scores(
        self, tokens: Tokens, video: towers.Sequence, chosen: Tensor | None = None
    ) -> Float[Tensor, "B V"]:
        if self.network.answer_dense is None:
            raise ConfigError(
                "the model has no head that answers; train one with --set config.task=open-ended, "
                "or another task"
            )
        device = video.mask.device
        read = self.network.read_text(tokens.ids.to(device), tokens.mask.to(device))
        video = video if chosen is None else rows(video, chosen.to(device))
        return self.network.answer_dense(self.network.cross.summary(read, video))
