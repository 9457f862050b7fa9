"""Fifty sentences of our own, spoken by espeak-ng in three voices, and music that says nothing."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int16
from PIL import Image

from reeltune.cli.encoded_clip import encode_pictures
from reeltune.cli.speaker import RATE, VOICES, say

Sound = Int16[np.ndarray, " N"]
SENTENCES = tuple(
    line.strip()
    for line in """
The birthday cake was carried in by the oldest sister.
Please turn left at the second bridge after the church.
Our train to the mountains leaves at seven in the morning.
Add two spoons of sugar and stir the milk slowly.
The museum keeps a collection of old musical clocks.
She planted tomatoes and beans behind the garden shed.
A heavy storm broke the windows of the village school.
The captain asked everyone to put on a life jacket.
We painted the kitchen yellow during the summer holidays.
My grandfather repaired bicycles in a small workshop.
The orchestra will play a symphony by Beethoven tonight.
Before you start the engine, check the oil and the water.
He scored the winning goal in the last minute of the game.
The children built a castle out of wet sand.
Scientists found a new kind of spider in the rain forest.
Cut the paper along the dotted line and fold it twice.
The president spoke about the future of the economy.
A black cat jumped over the wooden fence.
You can rent skis and boots near the bottom of the lift.
The old lighthouse has guided ships for two hundred years.
Remember to save your work before you close the window.
They danced at the wedding until the sun came up.
The recipe needs flour, butter, eggs and a pinch of salt.
Firefighters rescued a dog from the roof of the house.
In this lesson we will learn how to tie a strong knot.
The river was frozen from December until the end of March.
Her new novel tells the story of a doctor in Scotland.
Keep your back straight and breathe out slowly.
The price of apples has doubled since last year.
A helicopter landed on the roof of the hospital.
The guitar was a present from his uncle in Spain.
Wash your hands with soap for at least twenty seconds.
Thousands of people watched the fireworks by the harbour.
This camera records eight hundred pictures a second.
The baker sells fresh bread from five in the morning.
We saw a family of elephants crossing the road.
Press the red button to stop the machine at once.
The teacher wrote three questions on the blackboard.
An earthquake shook the islands early on Sunday.
The carpenter measured the table and sanded its edges.
Snow covered the tents of the climbers during the night.
Your luggage must not weigh more than twenty kilograms.
The farmer drives his sheep to the market on Fridays.
I left my umbrella under the seat of the bus.
Bees visit about two million flowers for a jar of honey.
The actor forgot his lines in the second scene.
Mix blue and yellow paint to get a bright green.
The spaceship will reach the planet in eleven months.
Please introduce yourself to the rest of the class.
The swimmer touched the wall a hand ahead of her rival.
""".strip().splitlines()
)
GREY = Image.new("RGB", (64, 64), "grey")


@dataclass(frozen=True)
class Spoken:
    """A clip in which one sentence is said from `start` to `end` (s)."""

    path: Path
    text: str
    start: float
    end: float


def own_speech(folder: Path, count: int = len(SENTENCES)) -> list[Spoken]:
    """A clip for each of the first sentences, the voices in turns, after up to 4 s of silence."""
    clips = []
    for number, text in enumerate(SENTENCES[:count]):
        sound, start = say(text, VOICES[number % len(VOICES)]), number % 9 / 2
        quiet = np.zeros(round(start * RATE), np.int16)
        whole = np.concatenate([quiet, sound, np.zeros(RATE, np.int16)])
        path = folder / f"{number:02d}.mp4"
        write(path, whole)
        clips.append(Spoken(path, text, start, start + len(sound) / RATE))
    return clips


def write(path: Path, sound: Sound) -> None:
    """Grey pictures with a sound, as long as it is."""
    seconds = -(-len(sound) // RATE)
    encode_pictures([GREY] * seconds, path, sound, (64, 64), rate=1)


def talk() -> Sound:
    """All sentences, one after another with short pauses."""
    parts = [(say(text, VOICES[i % 3]), np.zeros(RATE // 2, np.int16)) for i, text in _numbered()]
    return np.concatenate([sound for pair in parts for sound in pair])


def music(seconds: int, seed: int) -> Sound:
    """Chords of saw-toothed notes that change each second, a bass and a drum on every beat."""
    random = np.random.default_rng(seed)
    time = np.arange(RATE) / RATE
    bars = []
    for _ in range(seconds):
        root = 110 * 2 ** (random.integers(0, 12) / 12)
        chord = sum(2 * (time * root * 2 ** (step / 12) % 1) - 1 for step in (0, 4, 7, 12))
        bass = np.sin(2 * np.pi * time * root / 2)
        beat = np.exp(-(time % 0.5) * 20) * random.normal(size=RATE)
        bars.append((0.2 * chord + 0.5 * bass + 0.5 * beat) * 6000)
    return np.clip(np.concatenate(bars), -32768, 32767).astype(np.int16)


def words(text: str) -> list[str]:
    """Words in small letters, without marks."""
    return re.findall(r"[a-z']+", text.lower())


def errors(said: list[str], heard: list[str]) -> int:
    """Fewest words to put in, leave out or change to make one text out of the other."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            best = min(row[j] + 1, row[j - 1] + 1, before + (one != other))
            before, row[j] = row[j], best
    return row[-1]


def _numbered() -> list[tuple[int, str]]:
    return list(enumerate(SENTENCES))
