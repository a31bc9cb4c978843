/**
 * What the pages use of other people's code, and nothing more.
 *
 * build_vendor.mjs bundles this list into static/vendor/vendor.js and copies it beside the bundle as vendor.d.ts, so that
 * the type checker sees the packages' own types. It may therefore only re-export.
 */
export { h, render, Fragment, createContext, createRef } from "preact";
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "preact/hooks";
export { html } from "htm/preact";
export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "@preact/signals";
export { default as UPlot } from "uplot";
export { io, Manager, Socket } from "socket.io-client";
