"""The REST interface as OpenAPI 3.1, from the same declarations that validate it and say who may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from server import VERSION
from server.http import problems
from server.http.routes import Route, Who

TEMPLATE = "#/components/schemas/{model}"


def document(routes: Sequence[Route], base_url: str, prefix: str) -> dict[str, Any]:
    """The whole document; every operation under its exact path."""
    schemas: dict[str, Any] = {"Problem": problems.SCHEMA}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lectern", "version": VERSION, "description": "Courses, uploads and live classes."},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    doc = inspect.getdoc(route.handler) or route.path
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub('[^a-z0-9]+', '_', route.path.lower()).strip('_')}",
        "summary": doc.splitlines()[0],
        "tags": [route.tag],
        "x-who": route.who.value,
        "responses": _responses(route, schemas),
    }
    if "\n" in doc:
        operation["description"] = doc
    if parameters := _parameters(route, schemas):
        operation["parameters"] = parameters
    if route.who is not Who.ANYONE:
        operation["security"] = [{"bearer": []}]
    if route.body is not None:
        needed = bool(route.body.model_json_schema().get("required"))
        schema = _schema(route.body, schemas, "validation")
        operation["requestBody"] = {"required": needed, "content": {route.consumes: {"schema": schema}}}
    return operation


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done."}
    if route.answers is not None:
        success["content"] = {route.produces: {"schema": _schema(route.answers, schemas, "serialization")}}
    if route.paged:
        success["headers"] = {"Link": {"description": "The next page, rel=next.", "schema": {"type": "string"}}}
    problem = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    refusals: dict[int, set[str]] = {}
    for refusal in route.refuses:
        refusals.setdefault(_status(refusal), set()).add(refusal.code)
    if route.body is not None or route.query is not None or route.paged:
        refusals.setdefault(400, set()).update({"invalid"} if route.body is None else {"malformed", "invalid"})
    if route.who is not Who.ANYONE:
        refusals.setdefault(401, set()).update({"unauthenticated", "token_expired"})
    if route.who in (Who.EXPERT, Who.ADMIN):
        refusals.setdefault(403, set()).add("expert_only" if route.who is Who.EXPERT else "admin_only")
    if route.door is not None or "{" in route.path:
        refusals.setdefault(404, set()).add("not_found")
    answers = {str(route.status): success}
    for status, codes in sorted(refusals.items()):
        answers[str(status)] = {"description": ", ".join(sorted(codes)), **problem}
    answers["default"] = {"description": "Any other refusal.", **problem}
    return answers


def _status(refusal: type[Any]) -> int:
    from server.errors import STATUS

    return STATUS[refusal.kind]


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)(?::[^}]*)?}", route.path):
        kind = {"type": "integer", "minimum": 1} if name.endswith("_id") else {"type": "string"}
        found.append({"name": name, "in": "path", "required": True, "schema": kind})
    if route.query is not None:
        shape = route.query.model_json_schema(ref_template=TEMPLATE)
        schemas.update(shape.pop("$defs", {}))
        for name, schema in shape.get("properties", {}).items():
            needed = name in shape.get("required", [])
            found.append({"name": name, "in": "query", "required": needed, "schema": schema})
    if route.paged:
        limit = {"type": "integer", "minimum": 1, "maximum": 200}
        found.append({"name": "limit", "in": "query", "schema": limit})
        found.append({"name": "cursor", "in": "query", "schema": {"type": "string"}})
    return found


def _schema(shape: Any, schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    made = TypeAdapter(shape).json_schema(ref_template=TEMPLATE, mode=mode, schema_generator=GenerateJsonSchema)
    _drop_placeholders(made)
    schemas.update(made.pop("$defs", {}))
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        schemas[shape.__name__] = made
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    return made


def _drop_placeholders(schema: Any) -> None:
    """A default that its own rules refuse only means "not sent"; the interface has no such default."""
    if isinstance(schema, dict):
        if schema.get("default") == "" and schema.get("minLength", 0) > 0:
            del schema["default"]
        for part in schema.values():
            _drop_placeholders(part)
    elif isinstance(schema, list):
        for part in schema:
            _drop_placeholders(part)
