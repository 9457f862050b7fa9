"""A model that reads frames in int8 finds the videos that it finds in float32."""

from pathlib import Path

from reeltune.evaluation.compare import compare
from reeltune.models.tiny_clip import load
from reeltune.runs.evaluate import evaluate_opened
from reeltune.runs.evaluation_recipe import evaluation_recipe
from reeltune.runs.place import RunPlace


def test_retrieval_in_int8_is_inside_noise_of_that_in_float32(tmp_path: Path) -> None:
    model, name = load(), "tiny-clip"
    recipe = evaluation_recipe(name, "toybox", {"options": {"size": "tiny"}})
    whole, coarse = (
        evaluate_opened(one, Path(name), recipe, RunPlace(out=tmp_path, device="cpu"), "test")
        for one in (model, model.rounded("int8"))
    )
    found = compare(whole, coarse).differences
    assert {"t2v SumR", "v2t SumR"} <= found.keys()
    assert [name for name, one in found.items() if not one.inside_noise] == []
    assert any(one.changed for one in found.values()), "both are the same model"
