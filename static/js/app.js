/**
 * The page's beginning: find out who this tab is, open the live connection, draw the page the address asks for.
 *
 * Every page's module is loaded when it is first shown. Whoever is not signed in is led to the sign-in page and back.
 */
import { effect, html, render, useEffect, useErrorBoundary, useLayoutEffect, useState } from "../vendor/vendor.js";
import { asApiError, farewell, resume, session } from "./api.js";
import { startFacts } from "./data/facts.js";
import { loadUnread, startNotifications } from "./data/notifications.js";
import { forgetAll } from "./data/resource.js";
import { startUploads } from "./data/uploads.js";
import { ConnectionBanner } from "./parts/connection_banner.js";
import { ConfirmDialog } from "./parts/confirm.js";
import { Brand, Header, Ways } from "./parts/header.js";
import { Failed, Loading } from "./parts/states.js";
import { Toasts } from "./parts/toasts.js";
import { arrived, navigate, route, startRouter } from "./router.js";
import { connectLive, disconnectLive } from "./socket.js";

/** Each page's module and what it exports. @type {Record<string, () => Promise<any>>} */
const PAGES = {
  attendance: () => import("./views/attendance.js").then((module) => module.AttendanceView),
  catalog: () => import("./views/catalog.js").then((module) => module.CatalogView),
  content_analytics: () => import("./views/content_analytics.js").then((module) => module.ContentAnalyticsView),
  course: () => import("./views/course.js").then((module) => module.CourseView),
  course_new: () => import("./views/course_new.js").then((module) => module.CourseNewView),
  courses: () => import("./views/courses.js").then((module) => module.CoursesView),
  manage: () => import("./views/manage.js").then((module) => module.ManageView),
  missing: () => import("./views/missing.js").then((module) => module.MissingView),
  notifications: () => import("./views/notifications.js").then((module) => module.NotificationsView),
  player: () => import("./views/player.js").then((module) => module.PlayerView),
  register: () => import("./views/register.js").then((module) => module.RegisterView),
  room: () => import("./views/room.js").then((module) => module.RoomView),
  sessions: () => import("./views/sessions.js").then((module) => module.SessionsView),
  sign_in: () => import("./views/sign_in.js").then((module) => module.SignInView),
};

/** "course_id" in an address becomes the number `courseId` a view is given. @param {Record<string, string>} params */
const propsOf = (params) =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [
    name.replace(/_(\w)/g, (_all, letter) => letter.toUpperCase()),
    name.endsWith("_id") ? Number(value) : value,
  ]));

/** @param {{page: string}} props */
const Page = ({ page }) => {
  const [loaded, setLoaded] = useState(/** @type {{page: string, View?: any, error?: any}} */ ({ page: "" }));
  const [crash, forgive] = useErrorBoundary((/** @type {any} */ error) => console.error(error));
  const load = () => {
    PAGES[page]().then(
      (View) => setLoaded({ page, View }),
      (error) => setLoaded({ page, error }),
    );
  };
  useEffect(() => {
    if (crash) forgive();
    load();
  }, [page]);
  const { params, visit } = route.value;
  useLayoutEffect(() => {
    if (loaded.page === page) arrived();
  }, [visit, loaded]);
  if (crash) return html`<${Failed} error=${asApiError({})} what="This page" />`;
  if (loaded.page !== page) return html`<${Loading} rows=${5} />`;
  if (loaded.error) return html`<${Failed} error=${asApiError(loaded.error)} what="This page" retry=${load} />`;
  return html`<${loaded.View} ...${propsOf(params)} key=${page} />`;
};

const Shell = () => {
  const { page, isOpen } = route.value;
  const isSignedIn = session.value !== null;
  useEffect(() => {
    if (!isSignedIn && !isOpen) {
      const back = location.pathname === "/" || location.pathname === "/app" ? "" : `?next=${encodeURIComponent(location.pathname)}`;
      navigate(`/app/sign-in${back}`, { replace: true });
    }
  }, [isSignedIn, isOpen]);
  // Keys, because the one main is not the other: kept and moved, it would count as a page that jumps.
  if (isOpen || !isSignedIn) return html`<main id="main" class="door-page" key="door"><${Page} page=${isOpen ? page : "sign_in"} /></main><${Toasts} />`;
  return html`
    <a class="skip visually-hidden button primary" href="#main">Skip to the page</a>
    <${Header} />
    <main id="main" class=${`main page-${page}`} tabindex="-1" key=${page === "room" ? "room" : "inside"}><${Page} page=${page} /></main>
    ${page !== "room" && html`<${Ways} className="ways-low" label="Main, at hand" isShort />`}
    <${ConfirmDialog} />
    ${page !== "room" && html`<${ConnectionBanner} />`}
    <${Toasts} />
  `;
};

/** While it is not known who this is. @param {{error?: any, retry: () => void}} props */
const Opening = ({ error, retry }) => html`
  <header class="header"><${Brand} /></header>
  <main class="main">${error ? html`<${Failed} error=${asApiError(error)} what="Lectern" retry=${retry} />` : html`<${Loading} rows=${5} />`}</main>
`;

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

/** The live connection follows the sign-in; what the former person saw goes with them. */
const followSession = () => {
  /** @type {number | null} */ let who = null;
  effect(() => {
    const now = session.value?.id ?? null;
    if (now === who) return;
    who = now;
    forgetAll();
    if (now === null) disconnectLive();
    else {
      connectLive();
      void loadUnread();
    }
  });
};

const begin = async () => {
  render(html`<${Opening} retry=${begin} />`, root);
  try {
    // The sign-in page is for somebody else, so nobody is resumed on it.
    if (!route.value.isOpen) await resume();
  } catch (error) {
    if (farewell.value === "") return render(html`<${Opening} error=${error} retry=${begin} />`, root);
  }
  return render(html`<${Shell} />`, root);
};

startRouter();
startFacts();
startNotifications();
startUploads();
followSession();
void begin();
