"""The demo goes on without what an extra would bring, and says what that is."""

from reeltune.cli.demo_run import missing_for
from reeltune.errors import ConfigError
from reeltune.search.channels.channel import Teller
from reeltune.search.channels.shown import Shown


def test_a_channel_that_lacks_its_extra_is_named_with_the_remedy() -> None:
    said = "reading text in pictures is an extra: rapidocr is not installed; pip install it"

    def without() -> Teller:
        raise ConfigError(said)

    assert missing_for(without) == said
    assert missing_for(Shown) is None
