/**
 * The live room: one page from the first look through the door to the end of class.
 *
 * It shows what the classroom says is so, and hands over what the person wants; waiting, being in, and the end are the
 * same page, so that a class opening or closing changes it under the reader without a click.
 */
import { html, useEffect, useMemo, useState } from "../../vendor/vendor.js";
import { session } from "../api.js";
import { useResource } from "../data/resource.js";
import { dismissTo, tell } from "../data/toasts.js";
import { Classroom } from "../live/classroom.js";
import { confirmed } from "../parts/confirm.js";
import { RoomControls } from "../parts/room_controls.js";
import { RoomClosed, RoomRefused, RoomWaiting } from "../parts/room_door.js";
import { RoomHead } from "../parts/room_head.js";
import { RoomNotices } from "../parts/room_notices.js";
import { RoomSettings } from "../parts/room_settings.js";
import { RoomSide } from "../parts/room_side.js";
import { RoomStage } from "../parts/room_stage.js";
import { Failed } from "../parts/states.js";
import { route, setTitle } from "../router.js";
import { live } from "../socket.js";

/** @param {Error} problem */
const toast = (problem) => tell({ title: problem.message, icon: "alert", tone: "bad" });

/** @param {Classroom} classroom */
async function askToEnd(classroom) {
  const isSure = await confirmed({
    title: "End the class for everybody?", body: "Everyone leaves the room and attendance is closed. It cannot be opened again.",
    yes: "End class", no: "Stay",
  });
  if (isSure) await classroom.wish("session_end");
}

/** @param {{classroom: Classroom, about: any, back: string}} props */
const Live = ({ classroom, about, back }) => {
  const [hasSettings, showSettings] = useState(false);
  const [tab, choose] = useState(/** @type {import("../parts/room_side.js").Tab} */ ("chat"));
  const { you, isCurrent } = classroom.view.value;
  return html`
    <div class="room">
      <${RoomHead} about=${about} you=${you} user=${session.value} isConnected=${isCurrent} back=${back} />
      <div class="room-center">
        <${RoomStage} classroom=${classroom} />
        <${RoomNotices} classroom=${classroom} isAsking=${tab === "ask"} onAnswer=${() => choose("ask")} />
      </div>
      <${RoomSide} classroom=${classroom} tab=${tab} choose=${choose} />
      <${RoomControls} classroom=${classroom} back=${back} onSettings=${() => showSettings(true)} onEnd=${() => askToEnd(classroom)} />
      ${hasSettings && html`<${RoomSettings} classroom=${classroom} onClose=${() => showSettings(false)} />`}
    </div>
  `;
};

/** The room's shape before anything is known, so that nothing jumps. */
const Opening = () => html`
  <div class="room" aria-busy="true">
    <header class="room-head"><p class="room-title" role="status">Opening the room</p></header>
    <div class="room-center"><div class="room-stage"></div></div>
    <div class="room-side"></div>
    <div class="room-controls"></div>
  </div>
`;

/** @param {{liveSessionId: number}} props */
export const RoomView = ({ liveSessionId }) => {
  const about = useResource(`/live-sessions/${liveSessionId}`);
  const known = useMemo(() => ({ courseId: /** @type {number|null} */ (null) }), [liveSessionId]);
  const [classroom, open] = useState(/** @type {Classroom|null} */ (null));
  useEffect(() => {
    const entered = new Classroom({
      live, liveSessionId, inviteCode: route.value.query.get("invite_code"), name: () => session.value?.name ?? "Lectern",
      courseId: () => known.courseId, tell: toast,
    });
    open(entered);
    return () => entered.close();
  }, [liveSessionId]);

  const view = classroom?.view.value;
  const shown = about.value ?? view?.liveSession;
  known.courseId = shown?.course_id ?? null;
  const isIn = view?.phase === "in";
  useEffect(() => {
    if (isIn) dismissTo(`/app/sessions/${liveSessionId}`); // come in by another way than the message that it is live
    if (isIn && about.status === "failed") about.resource?.retry(); // a guest may see the session once the code let them in
  }, [isIn]);
  useEffect(() => setTitle(shown?.title ?? "Live class"), [shown?.title]);
  const back = shown?.course_id ? `/app/courses/${shown.course_id}` : "/app/sessions";
  const isInstructor = (view?.you?.role ?? shown?.my_role) === "instructor";

  if (!classroom || !view || view.phase === "joining") {
    const isMissing = about.status === "failed" && about.error?.status === 404 && !route.value.query.has("invite_code");
    return isMissing ? html`<${Failed} error=${about.error} what="This class" />` : html`<${Opening} />`;
  }
  if (view.phase === "refused" && view.problem)
    return view.problem.status === 404
      ? html`<${Failed} error=${view.problem} what="This class" />`
      : html`<${RoomRefused} about=${shown} back=${back} problem=${view.problem} onAgain=${() => classroom.again()} />`;
  if (view.phase === "closed") {
    const reason = shown?.status === "cancelled" ? "cancelled" : (view.reason ?? "ended");
    return html`<${RoomClosed} about=${shown} back=${back} reason=${reason} isInstructor=${isInstructor} />`;
  }
  if (view.phase === "waiting")
    return html`
      <${RoomWaiting} about=${shown} back=${back} isInstructor=${isInstructor} isConnected=${live.status.value === "online"}
        onStart=${() => classroom.wish("session_start")} />`;
  return html`<${Live} classroom=${classroom} about=${shown} back=${back} />`;
};
