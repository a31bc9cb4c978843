"""One form, one file: judged before its bytes when the fields came first, while they land, and after.

The order of the parts is the client's. With `course_id` and `type` known before the file, nothing of a refused file is
read; otherwise it is spooled under the limit of the kind its first bytes show, one a person and four a server.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack

from pydantic import ValidationError

from server.access import Actor
from server.content import formats, quota, rules, service
from server.content.formats import Format
from server.content.schemas import UploadFields
from server.content.service import Arrived
from server.content.storage import folder_key, new_token
from server.content.tables import Content
from server.content.uploads.form import LARGEST_FORM_BYTES, FieldPart, FilePart, parts
from server.content.uploads.intake import Intake
from server.content.uploads.part_file import PartFile
from server.db.database import Database
from server.errors import Invalid, OutcomeUnknown
from server.http import idempotency
from server.http.routes import Request
from server.wire import Id, Wire, invalid_from

FIELDS = frozenset(UploadFields.model_fields)
NOT_YET = "-"  # stands for a title that may still come


class _CourseNamed(Wire):
    course_id: Id


async def receive(request: Request, actor: Actor, database: Database, intake: Intake) -> Content:
    """Take the upload in and add its row. Raises every refusal of the contract; then nothing of it is left."""
    upload = _Upload(request, actor, database, intake)
    async with AsyncExitStack() as stack:
        for name, value in request.query.items():
            await upload.field(name, value)
        if upload.is_known:
            upload.judge_announced()  # before anybody is asked for the body
        async for part in parts(request):
            if isinstance(part, FieldPart):
                await upload.field(part.name, part.value)
            else:
                await upload.file(part, stack)
        return await upload.add()


class _Upload:
    """The form so far."""

    def __init__(self, request: Request, actor: Actor, database: Database, intake: Intake) -> None:
        self.request, self.actor, self.database, self.intake = request, actor, database, intake
        self.fields: dict[str, str] = {}
        self.part: PartFile | None = None
        self.file_name = ""
        self.declared_type = ""
        self.format: Format | None = None
        self.left_bytes: int | None = None  # of the course's quota, once the course is known

    @property
    def is_known(self) -> bool:
        """Whether what a file is judged by has come."""
        return {"course_id", "type"} <= self.fields.keys()

    def judge_announced(self) -> None:
        """The size of the whole, as it was announced. Raises Invalid, TooLarge, CourseFull."""
        limit = self.intake.limits[self._wanted(is_title_due=False).type]
        announced = (self.request.content_length or 0) - LARGEST_FORM_BYTES  # of the file, at least
        if announced > limit:
            raise rules.too_large(limit)
        self._judge_room(announced)

    async def field(self, name: str, value: str) -> None:
        """Note a value; the course is judged as soon as it is named. Raises Invalid, Missing, NotCourseInstructor."""
        if name not in FIELDS:
            return
        if self.fields.get(name, value) != value:
            raise Invalid(errors=[{"pointer": f"/{name}", "detail": "was sent twice with different values"}])
        is_new = name not in self.fields
        self.fields[name] = value
        if name == "course_id" and is_new:
            await self._judge_course()

    async def file(self, part: FilePart, stack: AsyncExitStack) -> None:
        """Read the file to disk. Raises every refusal that its bytes and what came before them allow."""
        self.file_name, self.declared_type = rules.clean_file_name(part.file_name), part.declared_type
        is_known = self.is_known
        with ExitStack() as held:
            if is_known:
                wanted = self._wanted(is_title_due=False)
                rules.judge_claim(wanted.type, self.file_name, self.declared_type)
                self.judge_announced()
                limit = self.intake.limits[wanted.type]
            else:
                async with self.database.read() as read:
                    await service.require_teaching(read, self.actor)
                held.enter_context(self.intake.space.spooling(self.actor.id))
                limit = max(self.intake.limits.values())
            promised = min(self.request.content_length or 0, limit)
            held.enter_context(self.intake.space.promised(promised, await self.intake.free_bytes()))
            self.part = await stack.enter_async_context(self.intake.part())
            judge = self._judge_known if is_known else self._judge_spooled
            await self._read(part, self.part, judge)

    async def add(self) -> Content:
        """Everything has come: judge what could not be judged before, keep the file, add the row."""
        if self.part is None:
            raise Invalid(errors=[{"pointer": "/file", "detail": "is missing"}])
        wanted = self._wanted(is_title_due=True)
        rules.judge_claim(wanted.type, self.file_name, self.declared_type)
        self._judge_known(self.part)
        assert self.format is not None
        key = f"{folder_key(wanted.type, new_token())}/original.{self.format.extension}"
        arrived = Arrived(key, self.file_name, self.part.size, rules.shown_mime_type(self.format, wanted.type))
        await self.intake.disk.run(self.intake.storage.adopt, key, self.part.path)
        self.part.keep()
        try:
            async with self.database.work("add content") as work:
                await quota.require_room(work, wanted.course_id, self.part.size, self.intake.quota_bytes)
                row = await service.add(work, self.actor, wanted, arrived)
                await idempotency.note_made(self.request, work, row.id)
                return row
        except OutcomeUnknown:
            raise  # the row may be there; if it is not, the sweep finds the file
        except Exception:
            await self.intake.disk.run(self.intake.storage.delete, key)
            raise

    async def _read(self, part: FilePart, file: PartFile, judge: Callable[[PartFile], None]) -> None:
        await part.into(file, self.intake.pumps, judge)
        await file.finish(judge)

    async def _judge_course(self) -> None:
        try:
            course_id = _CourseNamed.model_validate(self.fields).course_id
        except ValidationError as error:
            raise invalid_from(error) from error
        async with self.database.read() as read:
            await service.to_upload(read, self.actor, course_id)
            self.left_bytes = await quota.left_bytes(read, course_id, self.intake.quota_bytes)

    def _judge_room(self, size_bytes: int) -> None:
        """Raises CourseFull when that does not fit into the course."""
        if self.left_bytes is not None and size_bytes > max(0, self.left_bytes):
            raise quota.course_full(self.left_bytes, self.intake.quota_bytes)

    def _wanted(self, *, is_title_due: bool) -> UploadFields:
        given = self.fields if is_title_due else {"title": NOT_YET, **self.fields}
        try:
            return UploadFields.model_validate(given)
        except ValidationError as error:
            raise invalid_from(error) from error

    def _judge_known(self, file: PartFile) -> None:
        """For a file whose kind is known: do the bytes suit it, is it small enough?"""
        kind = self.fields["type"]
        if file.size == 0:
            raise rules.empty_file()
        if self.format is None or kind not in self.format.kinds:
            self.format = rules.judge_bytes(kind, self.file_name, file.head)
        if file.size > self.intake.limits[kind]:
            raise rules.too_large(self.intake.limits[kind])
        self._judge_room(file.size)

    def _judge_spooled(self, file: PartFile) -> None:
        """For a file before its `type`: is it anything we take, and small enough for what it looks like?"""
        if file.size == 0:
            raise rules.empty_file()
        found = formats.sniff(file.head)
        if found is None:
            raise rules.type_not_allowed(self.fields.get("type"))
        limit = self.intake.limits[rules.spooled_kind(found)]
        if file.size > limit:
            raise rules.too_large(limit)
