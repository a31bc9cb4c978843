// The peer for files: Express with `sendFile`, multer to disk, a raw body to a file, and the official tus server.
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";
import express from "express";
import multer from "multer";

const folder = process.argv[2];
const app = express();
const form = multer({ storage: multer.diskStorage({ destination: folder }) });
const tus = new Server({ path: "/tus", datastore: new FileStore({ directory: folder }), respectForwardedHeaders: false });
app.get("/files/:name", (request, response) => response.sendFile(request.params.name, { root: folder }));
app.post("/form", form.single("file"), (request, response) => response.status(201).json({ name: request.file.filename }));
app.put("/raw/:name", async (request, response) => {
  await pipeline(request, createWriteStream(join(folder, request.params.name)));
  response.status(201).end();
});
app.all(/^\/tus(\/.*)?$/, (request, response) => tus.handle(request, response));
const server = app.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port, version: process.version }));
});
process.stdin.resume().on("end", () => process.exit(0));
