// Loaded into the Playground before its own code: it would listen on every network interface, this keeps it on loopback.
const { Server } = require("node:net");

const listen = Server.prototype.listen;

Server.prototype.listen = function (port, ...rest) {
  const open = typeof port === "number" && typeof rest[0] !== "string";
  return open ? listen.call(this, port, "127.0.0.1", ...rest) : listen.call(this, port, ...rest);
};
