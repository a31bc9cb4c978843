/** The stage: the instructor, whoever has the floor, shared screens; as many pictures as there are, each as large as fits. */
import { html } from "../../vendor/vendor.js";
import { tiles } from "../store/tiles.js";
import { RoomTile } from "./room_tile.js";

/** @param {import("../store/tiles.js").Tile} tile @param {import("../media.js").MediaView} media */
function noteOf({ person, track, isComing, isUnplayable }, media) {
  if (person.is_you) {
    if (media.capture.camera.state === "asking") return "Starting your camera";
    return track ? "" : "Your camera is off";
  }
  if (!person.in_room) return person.role === "instructor" ? "Not in the room right now" : "Gone for a moment";
  if (isUnplayable) return "This browser cannot play this picture: it is sent as H.264 video";
  if (track || isComing) return media.receiving === "on" ? "Waiting for the picture" : "Connecting";
  return "";
}

/** @param {{classroom: import("../live/classroom.js").Classroom}} props */
export const RoomStage = ({ classroom }) => {
  const { room } = classroom.view.value;
  const media = classroom.media.value;
  if (!room) return null;
  const { slots, tracks, speaking, capture } = media;
  const { microphone, camera } = capture;
  const shown = tiles(room, classroom.people.value, { slots, tracks, isMuted: microphone.isMuted, isTest: camera.isTest });
  return html`
    <section class="room-stage" aria-label="Stage">
      <h2 class="visually-hidden">Stage</h2>
      <div class="room-tiles" data-count=${Math.min(shown.length, 7)} data-screen=${shown.some((tile) => tile.source === "screen")}>
        ${shown.map((tile) => html`
          <div class="room-cell" key=${tile.key} data-of=${tile.source}>
            <${RoomTile} tile=${tile} isSpeaking=${speaking.has(tile.person.user_id)} note=${noteOf(tile, media)}
              onSeen=${(/** @type {boolean} */ is) => classroom.devices.looking.saw(tile.person.user_id, tile.source, is)}
              onSized=${(/** @type {number} */ width) => classroom.devices.looking.sized(tile.person.user_id, tile.source, width)} />
          </div>`)}
      </div>
    </section>
  `;
};
