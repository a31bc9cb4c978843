/**
 * Which part of a lesson's sheet of small pictures belongs to a moment. Pure.
 *
 * @typedef {{url: string, columns: number, rows: number, tile_width: number, tile_height: number, seconds_per_tile: number}} SeekPreview
 */

/** @param {SeekPreview | null | undefined} preview @param {number} seconds @returns {{x: number, y: number, width: number, height: number} | null} in the sheet's pixels */
export const tileAt = (preview, seconds) => {
  if (!preview || !(preview.seconds_per_tile > 0)) return null;
  const last = preview.columns * preview.rows - 1;
  const tile = Math.max(0, Math.min(last, Math.floor(seconds / preview.seconds_per_tile)));
  const { columns, tile_width: width, tile_height: height } = preview;
  return { x: (tile % columns) * width, y: Math.floor(tile / columns) * height, width, height };
};
