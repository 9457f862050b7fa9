"""The OpenAPI: every address is described, and answers as described whatever it is sent."""

from pathlib import Path

import httpx
import hypothesis
import schemathesis

from reeltune.serve.app import create_app
from reeltune.serve.settings import Settings

SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(library=Path("none"))).openapi())
CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]


@SCHEMA.parametrize()
@hypothesis.settings(max_examples=3, derandomize=True, database=None, deadline=None)
def test_answers_are_as_described(case: schemathesis.Case, server: httpx.Client) -> None:
    case.call_and_validate(base_url=str(server.base_url), checks=CHECKS)
